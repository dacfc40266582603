"""`python -m marketdata.simulator`: the simulated exchange without Django's settings."""

from __future__ import annotations

import argparse
import asyncio
import sys

from marketdata.simulator.cli import add_arguments, config_of, run


def main() -> int:
    parser = argparse.ArgumentParser("simulate_exchange", description=__doc__)
    add_arguments(parser)
    try:
        asyncio.run(run(config_of(vars(parser.parse_args()))))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
