"""What a backfill stores, in short transactions that its worker's token guards."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from django.db import connection, transaction
from django.db.models.functions import Now

from marketdata.domain.gaps import without
from marketdata.domain.records import Candles, Source, Trades
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import DataGap, Instrument, from_ms, to_ms
from marketdata.storage.candles import read_candles
from marketdata.storage.filling import open_end
from marketdata.storage.findings import known_ids
from marketdata.storage.locks import lock_instrument
from marketdata.storage.proving import whole_minutes
from marketdata.storage.resuming import first_opening_ms, last_trade
from marketdata.storage.trades import write_trades
from marketdata.storage.writing import Fence, WriteResult, store_minutes, write_candles

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

REASON: Final = "backfill"

# Ids rise with time but for a few milliseconds: the nearest id is among the nearest rows.
_BESIDE: Final = """
select before.trade_id, before.executed_at, after.first_id, after.executed_at
from (select 1) as one
left join lateral (
    select trade_id, executed_at from (
        select trade_id, executed_at from marketdata_trade
        where instrument_id = %(instrument)s and trade_id < %(first_id)s
            and executed_at <= %(start)s + interval '1 s'
        order by executed_at desc, trade_id desc limit 100
    ) as nearest order by trade_id desc limit 1
) as before on true
left join lateral (
    select first_id, executed_at from (
        select trade_id - count + 1 as first_id, executed_at from marketdata_trade
        where instrument_id = %(instrument)s and trade_id - count + 1 > %(last_id)s
            and executed_at >= %(end)s - interval '1 s'
        order by executed_at, trade_id limit 100
    ) as nearest order by first_id limit 1
) as after on true
"""


class IdRange(NamedTuple):
    """Ids first to last, both included, and the times of the trades on both sides."""

    first_id: int
    last_id: int
    start: datetime
    end: datetime


def store_past_candles(instrument: Instrument, candles: Candles, fence: Fence) -> WriteResult:
    """Store the exchange's own closed 1m candles where nothing better is known."""
    return write_candles(instrument, candles, reason=REASON, source=Source.EXCHANGE, fence=fence)


def tape_end_ms(instrument: Instrument) -> int | None:
    """Return the time of the newest trade of a collected instrument: what follows is not the past.

    None where nobody collects it, or nothing is stored.
    """
    with connection.cursor() as cursor:
        instrument.refresh_from_db(fields=["is_enabled"])
        return last_trade(cursor, instrument.pk)[1] if instrument.is_enabled else None


def store_past_trades(
    instrument: Instrument,
    trades: Trades,
    window: tuple[int, int],
    now_ms: int,
    fence: Fence,
) -> tuple[WriteResult, int]:
    """Store trades, then build the minutes in `window` that are whole by their ids.

    Returns what became of the minutes, and how many trades were taken. The window is [start, end)
    in whole minutes. No opening is written: it would say that the price was known then. Built
    candles count as closed at `now_ms`. Of a collected instrument nothing behind the end of its
    tape is taken: its collector begins there, and would not see what is missing before it.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        fence(cursor)
        lock_instrument(cursor, instrument.pk)
        instrument.refresh_from_db(fields=["is_enabled"])
        if instrument.is_enabled:
            last_id, _ = last_trade(cursor, instrument.pk)
            trades = trades if last_id is None else trades[trades["trade_id"] <= last_id]
        if len(trades):
            write_trades(cursor, instrument.pk, trades)
            _note_never_collected(cursor, instrument, trades)
        start_ms, end_ms = window[0], open_end(cursor, instrument, window[1])
        minutes, _ = whole_minutes(cursor, instrument, start_ms, max(start_ms, end_ms), now_ms)
        return store_minutes(cursor, instrument, minutes, REASON), len(trades)


def _note_never_collected(cursor: CursorWrapper, instrument: Instrument, trades: Trades) -> None:
    """Say which ids between stored trades and `trades`, which stand apart, were not asked for.

    Without it the scan would take them for lost, and fetch everything in between. What was said
    before is said again of what remains. Ids of which a gap speaks are that gap's, and from the
    first collected minute of a collected instrument on they are lost indeed.
    """
    first, last = trades[0], trades[-1]
    stored = int(first["trade_id"] - first["count"] + 1), int(last["trade_id"])
    times = from_ms(int(first["time_ms"])), from_ms(int(last["time_ms"]))
    before, after = _neighbours(cursor, instrument, trades, stored)
    holes = _not_asked_for(instrument, stored, times)
    if before is not None and before[0] < stored[0] - 1:
        holes.append(IdRange(before[0] + 1, stored[0] - 1, before[1], times[0]))
    if after is not None and after[0] > stored[1] + 1:
        holes.append(IdRange(stored[1] + 1, after[0] - 1, times[1], after[1]))
    first_ms = first_opening_ms(cursor, instrument.pk) if instrument.is_enabled else None
    for hole in holes:
        if first_ms is not None and to_ms(hole.end) >= first_ms + MINUTE_MS:
            continue
        known = known_ids(instrument)
        for first_id, end_id in without([(hole.first_id, hole.last_id + 1)], known):
            _never_collected(instrument, hole._replace(first_id=first_id, last_id=end_id - 1))


def _neighbours(
    cursor: CursorWrapper, instrument: Instrument, trades: Trades, ids: tuple[int, int]
) -> tuple[tuple[int, datetime] | None, tuple[int, datetime] | None]:
    """Return the stored ids right before and after `ids`, and their times."""
    start_ms, end_ms = int(trades["time_ms"].min()), int(trades["time_ms"].max())
    values = {"first_id": ids[0], "last_id": ids[1], "instrument": instrument.pk}
    cursor.execute(_BESIDE, {**values, "start": from_ms(start_ms), "end": from_ms(end_ms)})
    before_id, before_at, after_id, after_at = cursor.fetchone()
    return (
        None if before_id is None else (before_id, before_at),
        None if after_id is None else (after_id, after_at),
    )


def _not_asked_for(
    instrument: Instrument, stored: tuple[int, int], times: tuple[datetime, datetime]
) -> list[IdRange]:
    """Take back what was said of ids not asked for that are `stored` now; return what remains."""
    said = instrument.gaps.filter(
        kind=DataGap.Kind.TRADES,
        cause=DataGap.Cause.NEVER_COLLECTED,
        state=DataGap.State.REPAIRED,
        first_trade_id__lte=stored[1],
        last_trade_id__gte=stored[0],
    )
    rest = []
    for gap in said:
        first_id, last_id = gap.ids
        rest += [
            IdRange(first_id, stored[0] - 1, gap.start, times[0]),
            IdRange(stored[1] + 1, last_id, times[1], gap.end),
        ]
    said.delete()
    return [one for one in rest if one.first_id <= one.last_id]


def _never_collected(instrument: Instrument, ids: IdRange) -> None:
    DataGap.objects.create(
        instrument=instrument,
        kind=DataGap.Kind.TRADES,
        first_trade_id=ids.first_id,
        last_trade_id=ids.last_id,
        start=ids.start,
        end=ids.end,
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
