#!/usr/bin/env python
"""Django's command line, with the embedded engines when no addresses are given."""

from __future__ import annotations

import os
import sys


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tcpdashboard.settings")
    from tcpdashboard.embedded import CannotStartError, engines_for_this_process

    try:
        with engines_for_this_process():
            from django.core.management import execute_from_command_line

            execute_from_command_line(sys.argv)
    except CannotStartError as error:
        sys.stderr.write(f"manage.py: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
