"""Entry point of `python -m tcpdashboard.supervisor`."""

from __future__ import annotations

import sys

from tcpdashboard.embedded.errors import CannotStartError
from tcpdashboard.supervisor.options import parse_options
from tcpdashboard.supervisor.up import up


def main() -> int:
    try:
        return up(parse_options(sys.argv[1:]))
    except CannotStartError as error:
        sys.stderr.write(f"./dev up: {error}\n")
        return 2
    except KeyboardInterrupt:
        # Before anything was started.
        return 0


if __name__ == "__main__":
    sys.exit(main())
