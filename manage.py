#!/usr/bin/env python
"""Django's command line, with the embedded engines when no addresses are given."""

from __future__ import annotations

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tcpdashboard.settings")
    from tcpdashboard.embedded import engines_for_this_process

    with engines_for_this_process():
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
