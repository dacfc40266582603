"""What a backfill stores, in short transactions that its worker's token guards."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import numpy as np
from django.db import connection, transaction
from django.db.models.functions import Now

from marketdata.domain.records import Candles, Source, Trades
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import DataGap, Instrument, from_ms
from marketdata.storage.candles import read_candles
from marketdata.storage.locks import lock_instrument
from marketdata.storage.proving import whole_minutes
from marketdata.storage.trades import write_trades
from marketdata.storage.writing import Fence, WriteResult, store_minutes, write_candles

REASON: Final = "backfill"

_BESIDE: Final = """
select before.trade_id, before.executed_at, after.trade_id - after.count + 1, after.executed_at
from (select 1) as one
left join lateral (
    select trade_id, executed_at from marketdata_trade
    where instrument_id = %(instrument)s and executed_at < %(start)s
    order by executed_at desc, trade_id desc limit 1
) as before on true
left join lateral (
    select trade_id, count, executed_at from marketdata_trade
    where instrument_id = %(instrument)s and executed_at > %(end)s
    order by executed_at, trade_id limit 1
) as after on true
"""


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


def note_never_collected(instrument: Instrument, trades: Trades) -> None:
    """Say that ids between stored trades and `trades`, which stand apart, were not asked for.

    Without it the scan would take them for lost, and fetch everything in between.
    """
    first, last = trades[0], trades[-1]
    first_id = int(first["trade_id"] - first["count"] + 1)
    with connection.cursor() as cursor:
        cursor.execute(
            _BESIDE,
            {
                "instrument": instrument.pk,
                "start": from_ms(int(trades["time_ms"].min())),
                "end": from_ms(int(trades["time_ms"].max())),
            },
        )
        before_id, before_at, after_id, after_at = cursor.fetchone()
    holes = []
    if before_id is not None and before_id < first_id - 1:
        holes.append((before_id + 1, first_id - 1, before_at, from_ms(int(first["time_ms"]))))
    if after_id is not None and after_id > last["trade_id"] + 1:
        at = from_ms(int(last["time_ms"]))
        holes.append((int(last["trade_id"]) + 1, after_id - 1, at, after_at))
    DataGap.objects.bulk_create(
        [_never_collected(instrument, *hole) for hole in holes], ignore_conflicts=True
    )


def _never_collected(
    instrument: Instrument, first_id: int, last_id: int, start: datetime, end: datetime
) -> DataGap:
    return DataGap(
        instrument=instrument,
        kind=DataGap.Kind.TRADES,
        first_trade_id=first_id,
        last_trade_id=last_id,
        start=start,
        end=end,
        cause=DataGap.Cause.NEVER_COLLECTED,
        state=DataGap.State.REPAIRED,
        filled_with=DataGap.Filling.CANDLES,
        reason="a backfill asked for the trades beside it only",
        closed_at=Now(),
    )


def is_from_trades(instrument: Instrument, start_ms: int, end_ms: int) -> bool:
    """Tell whether every minute in [start_ms, end_ms) was built from trades, or had none."""
    stored = read_candles(instrument, Timeframe.M1, start_ms, end_ms)
    ours = (stored["source"] == Source.TRADES) | (stored["source"] == Source.FLAT)
    is_known = (stored["minutes"] > 0) & (ours | (stored["trade_count"] == 0))
    return int(np.count_nonzero(is_known)) == (end_ms - start_ms) // MINUTE_MS
