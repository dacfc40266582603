"""Do the backtest of an archive again, from its own candles, and confirm what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backtests.exporting.members import BadArchive
from backtests.exporting.verifying import verify_archive
from strategies.domain.errors import StrategyError


class Command(BaseCommand):
    help = (
        "Run the backtest of an archive from export_run again and compare: ends with an error, "
        "and what differs, unless hash, fills and metrics are the same."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        path = options["file"]
        try:
            with path.open("rb") as file:
                found = verify_archive(file)
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}") from error
        except (BadArchive, StrategyError) as error:
            raise CommandError(f"{path}: {error}") from error
        if not found.is_confirmed:
            told = "\n".join(f"{name}: {what}" for name, what in found.differences.items())
            raise CommandError(f"{path} is not confirmed:\n{told}")
        self.stdout.write(
            f"{path} is confirmed: {found.fills} fills, {len(found.metrics)} metrics, "
            f"result {found.result_hash}"
        )
