"""Store the 1m candles of a CSV file and the higher timeframes they make."""

from __future__ import annotations

import gzip
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, transaction

from marketdata.domain.quality import check_candles
from marketdata.domain.records import Candles
from marketdata.domain.timeframe import DAY_MS, Timeframe
from marketdata.loading.candle_files import InvalidFile, LoadedCandles, parse_candles
from marketdata.models import Instrument, from_ms
from marketdata.storage import WriteResult, write_candles

# Whole days: no higher candle is built twice.
_PROGRESS_MS = 34 * DAY_MS


class Command(BaseCommand):
    help = (
        "Store the 1m candles of a CSV file (gz allowed) with the header open_time_ms,open,high,"
        "low,close,volume[,…] and build the higher timeframes. All of it is stored or nothing: a "
        "file with any error is refused whole, and importing a file again changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--exchange", required=True)
        parser.add_argument("--symbol", required=True)
        parser.add_argument(
            "--timeframe",
            required=True,
            choices=[Timeframe.M1.value],
            help="1m: the higher timeframes are always built from it.",
        )
        parser.add_argument("--tick-size", type=_step, help="Of an instrument not known yet.")
        parser.add_argument("--lot-size", type=_step, help="Of an instrument not known yet.")
        parser.add_argument("--dry-run", action="store_true", help="Check the file only.")

    def handle(self, *args: Any, **options: Any) -> None:
        loaded = _load(options["file"])
        first, last = loaded.candles["open_time_ms"][[0, -1]].tolist()
        self._say(f"{len(loaded.candles):,} candles from {from_ms(first)} to {from_ms(last)}")
        if loaded.is_quote_estimated:
            self._say("no quote_volume in the file: estimated as volume x (high + low + close) / 3")
        if options["dry_run"]:
            self._say("the file is sound; nothing was stored")
            return
        # Whatever could be refused is refused before anything is written.
        check_candles(loaded.candles)
        instrument = self._instrument(loaded, options)
        result = self._store(instrument, loaded, options["file"].name)
        self._say(
            f"{result.inserted:,} candles inserted, {result.changed:,} changed, "
            f"{result.unchanged:,} left as they were"
        )
        if result.locked:
            self._say(f"{result.locked:,} refused: their range is locked, and both values are kept")

    def _store(self, instrument: Instrument, loaded: LoadedCandles, name: str) -> WriteResult:
        """Store all or nothing; a collector of the instrument keeps what it has until then."""
        reason = f"import {name}"[:64]
        try:
            with transaction.atomic():
                return self._write(instrument, loaded.candles, reason)
        except DatabaseError as error:
            raise CommandError(f"{error}\nNothing was stored: import the file again.") from error

    def _write(self, instrument: Instrument, candles: Candles, reason: str) -> WriteResult:
        result, done = WriteResult(), 0
        part = candles["open_time_ms"] // _PROGRESS_MS
        while done < len(candles):
            end = int(part.searchsorted(part[done], side="right"))
            result += write_candles(instrument, candles[done:end], reason=reason)
            done = end
            self._say(f"{done / len(candles):4.0%} written")
        return result

    def _instrument(self, loaded: LoadedCandles, options: dict[str, Any]) -> Instrument:
        exchange, symbol = options["exchange"], options["symbol"]
        known = Instrument.objects.filter(exchange=exchange, symbol=symbol).first()
        if known is not None:
            return known
        tick_size = options["tick_size"] or self._guessed("tick size", loaded.tick_size)
        lot_size = options["lot_size"] or self._guessed("lot size", loaded.lot_size)
        base, _, quote = symbol.partition("-")
        return Instrument.objects.create(
            exchange=exchange,
            symbol=symbol,
            kind=Instrument.Kind.SWAP if symbol.endswith("-SWAP") else Instrument.Kind.SPOT,
            base=base,
            quote=quote.removesuffix("-SWAP"),
            tick_size=tick_size,
            lot_size=lot_size,
            min_size=lot_size,
        )

    def _guessed(self, name: str, value: Decimal) -> Decimal:
        option = "--" + name.replace(" ", "-")
        self._say(f"{name} of the new instrument taken from the data: {value} ({option} sets it)")
        return value

    def _say(self, line: str) -> None:
        self.stdout.write(line)


def _load(path: Path) -> LoadedCandles:
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        return parse_candles(content.decode())
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
    except InvalidFile as error:
        raise CommandError(f"{path}: {error}\nNothing was stored.") from error


def _step(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError from None
    if not (value.is_finite() and value > 0):
        raise ValueError
    return value
