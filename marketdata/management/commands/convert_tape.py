"""Make a tape for the simulated exchange from another exchange's recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketdata.simulator.conversion import FORMATS, convert


class Command(BaseCommand):
    help = "Convert recorded trades into a tape (CSV, gzipped when the name ends in .gz)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=sorted(FORMATS), required=True)
        parser.add_argument("source", type=Path)
        parser.add_argument("target", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = convert(options["format"], options["source"], options["target"])
        except (OSError, ValueError) as error:
            raise CommandError(str(error), returncode=2) from error
        self.stdout.write(f"{count} trades written to {options['target']}")
