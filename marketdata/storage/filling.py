"""What a repair stores: in short transactions, so that the collector never waits long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import connection, transaction

from marketdata.domain.gaps import Stretch
from marketdata.domain.quality import missing_minutes
from marketdata.domain.records import Candles, Trades
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import Instrument
from marketdata.storage.candles import read_candles, select_bounds
from marketdata.storage.locks import lock_instrument
from marketdata.storage.merging import differs
from marketdata.storage.openings import write_openings
from marketdata.storage.proving import Span, judged_minutes, whole_minutes
from marketdata.storage.trades import write_trades
from marketdata.storage.writing import WriteResult, store_minutes, write_candles

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

REASON: Final = "gap repaired"

_BLOCK_MS: Final = 34 * DAY_MS
_TRADES_AT_ONCE: Final = 50_000
_LONGEST_MS: Final = 6 * 60 * MINUTE_MS


def lacking_minutes(instrument: Instrument, start_ms: int, end_ms: int) -> list[Stretch]:
    """Return the stretches of whole minutes in [start_ms, end_ms) that are missing or incomplete.

    Where the instrument is collected only up to the newest stored candle: what comes after it is
    the collector's, and a later candle would make it take the minutes in between for closed.
    """
    with connection.cursor() as cursor:
        end_ms = open_end(cursor, instrument, end_ms)
    lacking: list[Stretch] = []
    for first_ms in range(start_ms, end_ms, _BLOCK_MS):
        last_ms = min(end_ms, first_ms + _BLOCK_MS)
        minutes = read_candles(instrument, Timeframe.M1, first_ms, last_ms)
        lacking += missing_minutes(minutes, first_ms, last_ms)
    return lacking


def fill_trades(instrument: Instrument, trades: Trades) -> None:
    """Store a page of trades; what is known already, alone or merged, is not stored twice."""
    with transaction.atomic(), connection.cursor() as cursor:
        lock_instrument(cursor, instrument.pk)
        write_trades(cursor, instrument.pk, trades)


def fill_candles(instrument: Instrument, candles: Candles) -> WriteResult:
    """Store the exchange's own closed 1m candles where nothing better is known."""
    return write_candles(instrument, candles, reason=REASON)


def settle_trades(instrument: Instrument, start_ms: int, end_ms: int, ids: int, now_ms: int) -> int:
    """Build the minutes around [start_ms, end_ms) again from its trades, about `ids` of them.

    Returns how many changed. Minutes in which ids are still missing are marked incomplete; those
    that are whole by their ids replace whatever is worth less. `now_ms` is the exchange's time.
    """
    first_ms = Timeframe.M1.open_time(start_ms)
    end_ms = Timeframe.M1.open_time(end_ms) + MINUTE_MS
    step_ms = (end_ms - first_ms) * _TRADES_AT_ONCE // max(ids, 1)
    step_ms = max(MINUTE_MS, min(_LONGEST_MS, Timeframe.M1.open_time(step_ms)))
    changed = 0
    for part_ms in range(first_ms, end_ms, step_ms):
        changed += _settle(instrument, part_ms, min(end_ms, part_ms + step_ms), now_ms)
    return changed


def _settle(instrument: Instrument, start_ms: int, end_ms: int, now_ms: int) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        lock_instrument(cursor, instrument.pk)
        end_ms = open_end(cursor, instrument, end_ms)
        if end_ms <= start_ms:
            return 0
        judged = judged_minutes(cursor, instrument, Span(start_ms, end_ms - MINUTE_MS), now_ms)
        judged = judged[judged["minutes"] == 0]
        flagged = store_minutes(cursor, instrument, judged, REASON, differs)
        minutes, openings = whole_minutes(cursor, instrument, start_ms, end_ms, now_ms)
        write_openings(cursor, instrument.pk, openings)
        built = store_minutes(cursor, instrument, minutes, REASON)
    return flagged.changed + built.inserted + built.changed


def open_end(cursor: CursorWrapper, instrument: Instrument, end_ms: int) -> int:
    """Return `end_ms`, of a collected instrument no later than its newest stored candle's end."""
    if not instrument.is_enabled:
        return end_ms
    newest_ms = select_bounds(cursor, instrument.pk, Timeframe.M1).newest_ms
    return end_ms if newest_ms is None else min(end_ms, newest_ms + MINUTE_MS)
