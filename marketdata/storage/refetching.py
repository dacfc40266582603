"""A minute whose candle differs from the exchange's, with its trades fetched once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import connection, transaction

from marketdata.domain.aggregation import aggregate_minutes
from marketdata.domain.checking import agrees
from marketdata.domain.records import Candles, InstrumentSpec, Trades, empty_candles
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.models import Instrument, from_ms
from marketdata.storage.checks import check_minutes
from marketdata.storage.locks import lock_instrument
from marketdata.storage.merging import differs
from marketdata.storage.rebuilding import settle_minutes
from marketdata.storage.trades import select_trades, write_trades
from marketdata.storage.writing import store_minutes

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

REASON: Final = "trades fetched again"

_DELETE: Final = """
delete from marketdata_trade
where instrument_id = %s and executed_at >= %s and executed_at < %s
"""


def store_again(instrument: Instrument, trades: Trades, theirs: Candles) -> bool:
    """Store what was fetched again of one minute; return whether its candle is now `theirs`.

    `theirs` is the exchange's one candle and `trades` are those of its minute, in order of id.
    Missing ones are added. Only when they make the exchange's candle exactly do they replace what
    is stored of the minute. A candle that changes by it gets its revision, like any other.
    """
    open_ms = int(theirs["open_time_ms"][0])
    with transaction.atomic(), connection.cursor() as cursor:
        lock_instrument(cursor, instrument.pk)
        if len(trades):
            _store_trades(cursor, instrument, trades, theirs, open_ms)
            rebuilt = settle_minutes(cursor, instrument, empty_candles(), [open_ms])
            store_minutes(cursor, instrument, rebuilt, REASON, differs)
        return check_minutes(cursor, instrument.pk, theirs).verified == 1


def _store_trades(
    cursor: CursorWrapper, instrument: Instrument, trades: Trades, theirs: Candles, open_ms: int
) -> None:
    if _make(trades, theirs, instrument.spec):
        stored = select_trades(cursor, instrument.pk, open_ms, open_ms + MINUTE_MS)
        if not _make(stored, theirs, instrument.spec):
            span = from_ms(open_ms), from_ms(open_ms + MINUTE_MS)
            cursor.execute(_DELETE, [instrument.pk, *span])
    write_trades(cursor, instrument.pk, trades)


def _make(trades: Trades, theirs: Candles, spec: InstrumentSpec) -> bool:
    """Return whether the candle of `trades`, all of one minute, is `theirs`."""
    ours = aggregate_minutes(trades, spec)
    return len(ours) == 1 and bool(agrees(ours, theirs)[0])
