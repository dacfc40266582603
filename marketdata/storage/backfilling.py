"""What a backfill stores, in short transactions that its worker's token guards."""

from __future__ import annotations

from typing import Final

import numpy as np
from django.db import connection, transaction

from marketdata.domain.records import Candles, Source, Trades
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import Instrument
from marketdata.storage.candles import read_candles
from marketdata.storage.locks import lock_instrument
from marketdata.storage.proving import whole_minutes
from marketdata.storage.trades import write_trades
from marketdata.storage.writing import Fence, WriteResult, store_minutes, write_candles

REASON: Final = "backfill"


def store_past_candles(instrument: Instrument, candles: Candles, fence: Fence) -> WriteResult:
    """Store the exchange's own closed 1m candles where nothing better is known."""
    return write_candles(instrument, candles, reason=REASON, source=Source.EXCHANGE, fence=fence)


def store_past_trades(
    instrument: Instrument,
    trades: Trades,
    window: tuple[int, int],
    now_ms: int,
    fence: Fence,
) -> WriteResult:
    """Store trades, then build the minutes in `window` that are whole by their ids.

    The window is [start, end) in whole minutes. No opening is written: it would say that the
    price was known then. Built candles count as closed at `now_ms`.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        fence(cursor)
        lock_instrument(cursor, instrument.pk)
        write_trades(cursor, instrument.pk, trades)
        minutes, _ = whole_minutes(cursor, instrument, *window, now_ms)
        return store_minutes(cursor, instrument, minutes, REASON)


def is_from_trades(instrument: Instrument, start_ms: int, end_ms: int) -> bool:
    """Tell whether every minute in [start_ms, end_ms) was built from trades, or had none."""
    stored = read_candles(instrument, Timeframe.M1, start_ms, end_ms)
    ours = (stored["source"] == Source.TRADES) | (stored["source"] == Source.FLAT)
    is_known = (stored["minutes"] > 0) & (ours | (stored["trade_count"] == 0))
    return int(np.count_nonzero(is_known)) == (end_ms - start_ms) // MINUTE_MS
