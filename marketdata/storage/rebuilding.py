"""Minutes built again from the stored trades, when a late trade or two batches disagree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import numpy as np

from marketdata.domain.aggregation import aggregate_minutes
from marketdata.domain.records import Candles, Source, empty_candles
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import Instrument, from_ms
from marketdata.storage.candles import select_candles
from marketdata.storage.merging import differs
from marketdata.storage.trades import select_trades

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_NEIGHBOURS: Final = """
select
    (select trade_id from marketdata_trade where instrument_id = %(instrument)s
        and executed_at < %(start)s order by executed_at desc, trade_id desc limit 1),
    (select trade_id - count + 1 from marketdata_trade where instrument_id = %(instrument)s
        and executed_at >= %(end)s order by executed_at, trade_id limit 1)
"""


def settle_minutes(
    cursor: CursorWrapper, instrument: Instrument, minutes: Candles, late: Iterable[int]
) -> Candles:
    """Return `minutes` with those built again that the stored trades know better.

    These are the minutes that open at `late`, because a trade came after their close, and those
    that are stored already, from trades too, and say something else. The rest is returned as it
    is; the call costs nothing when no minute is stored yet.
    """
    doubtful = sorted({*late, *_contradicted(cursor, instrument.pk, minutes)})
    if not doubtful:
        return minutes
    known = _known(cursor, instrument.pk, doubtful, minutes)
    rebuilt = [_rebuild(cursor, instrument, open_ms, known.get(open_ms)) for open_ms in doubtful]
    joined = np.concatenate([*rebuilt, minutes])
    # The first of equal times stays: the one that was built again.
    _, kept = np.unique(joined["open_time_ms"], return_index=True)
    settled: Candles = joined[kept]
    return settled


def _contradicted(cursor: CursorWrapper, instrument_id: int, minutes: Candles) -> list[int]:
    if not len(minutes):
        return []
    stored = select_candles(cursor, instrument_id, Timeframe.M1, *_range(minutes["open_time_ms"]))
    _, ours, theirs = np.intersect1d(
        stored["open_time_ms"], minutes["open_time_ms"], assume_unique=True, return_indices=True
    )
    stored, incoming = stored[ours], minutes[theirs]
    from_trades = (stored["source"] == Source.TRADES) & (incoming["source"] == Source.TRADES)
    times: list[int] = incoming["open_time_ms"][from_trades & differs(stored, incoming)].tolist()
    return times


def _known(
    cursor: CursorWrapper, instrument_id: int, open_times: list[int], minutes: Candles
) -> dict[int, np.void]:
    known = {int(minute["open_time_ms"]): minute for minute in minutes}
    for open_ms in open_times:
        for stored in select_candles(
            cursor, instrument_id, Timeframe.M1, open_ms, open_ms + MINUTE_MS
        ):
            known[open_ms] = stored
    return known


def _rebuild(
    cursor: CursorWrapper, instrument: Instrument, open_ms: int, known: np.void | None
) -> Candles:
    trades = select_trades(cursor, instrument.pk, open_ms, open_ms + MINUTE_MS)
    if not len(trades):
        return empty_candles()
    minute = aggregate_minutes(trades, instrument.spec)
    minute["minutes"] = _was_whole(known) or _is_contiguous(cursor, instrument.pk, minute)
    if known is not None:
        minute["closed_at_ms"] = known["closed_at_ms"]
    return minute


def _was_whole(known: np.void | None) -> bool:
    return (
        known is not None
        and known["minutes"] == 1
        and known["source"] in (Source.TRADES, Source.FLAT)
    )


def _is_contiguous(cursor: CursorWrapper, instrument_id: int, minute: Candles) -> bool:
    """Tell whether the ids prove that no trade of the minute or beside it is missing."""
    first, last = int(minute["first_trade_id"][0]), int(minute["last_trade_id"][0])
    start_ms, end_ms = _range(minute["open_time_ms"])
    cursor.execute(
        _NEIGHBOURS,
        {"instrument": instrument_id, "start": from_ms(start_ms), "end": from_ms(end_ms)},
    )
    before, after = cursor.fetchone()
    is_whole = int(minute["trade_count"][0]) == last - first + 1
    return is_whole and before == first - 1 and after == last + 1


def _range(open_times: Candles) -> tuple[int, int]:
    return int(open_times[0]), int(open_times[-1]) + MINUTE_MS
