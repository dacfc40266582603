"""Write stored candles to a file that `import_candles` reads."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketdata.domain.records import Candles
from marketdata.domain.timeframe import Timeframe
from marketdata.loading.candle_files import csv_pieces, json_pieces
from marketdata.models import Instrument, to_ms
from marketdata.storage import read_candles

_FORMATS: Final = {"csv": csv_pieces, "json": json_pieces}
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)


class Command(BaseCommand):
    help = "Write stored candles as CSV or JSON; a name that ends with .gz is compressed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--exchange", required=True)
        parser.add_argument("--symbol", required=True)
        parser.add_argument(
            "--timeframe", required=True, choices=[each.value for each in Timeframe]
        )
        parser.add_argument(
            "--start", type=_time, default=_EARLIEST, help="First open time, ISO 8601, UTC."
        )
        parser.add_argument(
            "--end", type=_time, default=_LATEST, help="Open time to stop before, ISO 8601, UTC."
        )
        parser.add_argument("--format", choices=list(_FORMATS), default="csv")
        parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="Default: stdout.")

    def handle(self, *args: Any, **options: Any) -> None:
        candles = _read(options)
        pieces = _FORMATS[options["format"]](candles)
        if options["output"] is None:
            for piece in pieces:
                self.stdout.write(piece, ending="")
            return
        _write(options["output"], pieces)
        self.stdout.write(f"{len(candles):,} candles written to {options['output']}")


def _read(options: dict[str, Any]) -> Candles:
    try:
        instrument = Instrument.objects.named(options["exchange"], options["symbol"])
    except Instrument.DoesNotExist as error:
        raise CommandError(str(error)) from None
    start_ms, end_ms = to_ms(options["start"]), to_ms(options["end"])
    return read_candles(instrument, Timeframe(options["timeframe"]), start_ms, end_ms)


def _write(path: Path, pieces: Iterator[str]) -> None:
    """Write a file beside the named one first, so that an interrupted export leaves no half."""
    partial = path.with_name(path.name + ".part")
    try:
        with _opened(partial, is_compressed=path.suffix == ".gz") as file:
            for piece in pieces:
                file.write(piece)
        partial.replace(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _opened(path: Path, *, is_compressed: bool) -> IO[str]:
    return gzip.open(path, "wt") if is_compressed else path.open("w")


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time
