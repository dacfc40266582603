"""A minute of which two sources say different things, decided by a person."""

from __future__ import annotations

from typing import Final

import numpy as np
from django.db import connection, transaction

from marketdata.domain.records import CANDLE_DTYPE, UNKNOWN, Candles
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.models import CandleConflict, to_ms
from marketdata.storage.conflicts import settle_conflicts
from marketdata.storage.locks import lock_instrument
from marketdata.storage.merging import differs
from marketdata.storage.writing import WriteResult, store_minutes

_NAMES: Final = ("open", "high", "low", "close", "volume")


def store_theirs(conflict: CandleConflict, reason: str) -> WriteResult:
    """Make what the other side says the stored candle, with its revision, and settle the row.

    A locked minute is refused, counted as `locked`, and the row stays open.
    """
    theirs = _theirs(conflict)
    with transaction.atomic(), connection.cursor() as cursor:
        lock_instrument(cursor, conflict.instrument_id)
        result = store_minutes(cursor, conflict.instrument, theirs, reason, differs)
        if not result.locked:
            kind = CandleConflict.Kind(conflict.kind)
            opens = theirs["open_time_ms"]
            settle_conflicts(cursor, conflict.instrument_id, kind, opens, reason)
    return result


def _theirs(conflict: CandleConflict) -> Candles:
    candle = np.zeros(1, dtype=CANDLE_DTYPE)
    open_ms = to_ms(conflict.open_time)
    candle["open_time_ms"], candle["closed_at_ms"] = open_ms, open_ms + MINUTE_MS
    for name in _NAMES:
        candle[name] = getattr(conflict, f"their_{name}")
    candle["quote_volume"] = _quote_volume(conflict)
    for name in ("trade_count", "first_trade_id", "last_trade_id"):
        candle[name] = UNKNOWN
    candle["minutes"], candle["source"] = 1, conflict.their_source
    return candle


def _quote_volume(conflict: CandleConflict) -> float:
    """Return theirs; ours where it was not told, and without either the volume at the close."""
    for value in (conflict.their_quote_volume, conflict.our_quote_volume):
        if value is not None:
            return value
    return conflict.their_volume * conflict.their_close
