"""Write the archive, or the report, of a finished backtest into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backtests.exporting.archive import CannotExport, write_archive
from backtests.exporting.report import report_pieces
from backtests.loading import CandlesMoved
from backtests.management.commands.rerun_backtest import finished
from backtests.storage.results import ResultGone


class Command(BaseCommand):
    help = (
        "Write a finished backtest into a file: an archive (.zip) that verify_run proves, or a "
        "report (.html) for a browser."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int)
        parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        backtest, path = finished(options["id"]), options["output"]
        if path.suffix not in (".zip", ".html"):
            raise CommandError(f"expected a name ending in .zip or .html; was {path.name}")
        try:
            if path.suffix == ".html":
                path.write_text("".join(report_pieces(backtest)), encoding="utf-8")
            else:
                with path.open("wb") as file:
                    write_archive(backtest, file)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}") from error
        except (CannotExport, CandlesMoved, ResultGone) as error:
            path.unlink(missing_ok=True)
            raise CommandError(str(error)) from error
        self.stdout.write(f"backtest {backtest.pk} is in {path}")
