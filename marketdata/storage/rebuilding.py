"""Minutes built again from the stored trades, when a late trade or two batches disagree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.aggregation import aggregate_minutes
from marketdata.domain.records import Candles, Source, Trades, empty_candles
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import Instrument
from marketdata.storage.candles import select_candles
from marketdata.storage.merging import differs
from marketdata.storage.proving import lacking, trades_around

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

# Minutes further apart than this are read apart, and no more than so many of them at once.
_APART_MS: Final = 60 * MINUTE_MS
_AT_ONCE: Final = 1_440


def settle_minutes(
    cursor: CursorWrapper, instrument: Instrument, minutes: Candles, late: Iterable[int]
) -> Candles:
    """Return `minutes` with those built again that the stored trades know better.

    These are the minutes that open at `late`, because a trade came after their close; those that
    are stored already, from trades too, and say something else; and those that lack trades here:
    a repair may have stored them in the meantime. The rest is returned as it is; the call costs
    one look at the store when no minute is stored yet.
    """
    flagged = minutes["open_time_ms"][(minutes["minutes"] == 0) & (minutes["trade_count"] > 0)]
    doubtful = sorted({*late, *flagged.tolist(), *_contradicted(cursor, instrument.pk, minutes)})
    if not doubtful:
        return minutes
    rebuilt = [_rebuild(cursor, instrument, part, minutes) for part in _parts(doubtful)]
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


def _parts(open_times: list[int]) -> list[NDArray[np.int64]]:
    opens = np.array(open_times, dtype=np.int64)
    stretches = np.split(opens, np.flatnonzero(np.diff(opens) > _APART_MS) + 1)
    return [
        stretch[first : first + _AT_ONCE]
        for stretch in stretches
        for first in range(0, len(stretch), _AT_ONCE)
    ]


def _rebuild(
    cursor: CursorWrapper, instrument: Instrument, opens: NDArray[np.int64], minutes: Candles
) -> Candles:
    """Return the minutes that open at `opens` from their stored trades; none without a trade."""
    start_ms, end_ms = _range(opens)
    trades = trades_around(cursor, instrument.pk, start_ms, end_ms)
    if not len(trades):
        return empty_candles()
    inside = np.isin(trades["time_ms"] // MINUTE_MS * MINUTE_MS, opens)
    rebuilt = aggregate_minutes(trades[inside], instrument.spec)
    stored = select_candles(cursor, instrument.pk, Timeframe.M1, start_ms, end_ms)
    known = _first_of_each(np.concatenate([stored, minutes]))
    _, ours, theirs = np.intersect1d(
        rebuilt["open_time_ms"], known["open_time_ms"], assume_unique=True, return_indices=True
    )
    was_whole = np.zeros(len(rebuilt), dtype=bool)
    was_whole[ours] = _were_whole(known[theirs])
    rebuilt["minutes"] = was_whole | _proven(trades, rebuilt["open_time_ms"], start_ms, end_ms)
    rebuilt["closed_at_ms"][ours] = known["closed_at_ms"][theirs]
    return rebuilt


def _first_of_each(candles: Candles) -> Candles:
    _, first = np.unique(candles["open_time_ms"], return_index=True)
    chosen: Candles = candles[first]
    return chosen


def _were_whole(known: Candles) -> NDArray[np.bool_]:
    from_here = (known["source"] == Source.TRADES) | (known["source"] == Source.FLAT)
    whole: NDArray[np.bool_] = from_here & (known["minutes"] == 1)
    return whole


def _proven(
    trades: Trades, opens: NDArray[np.int64], start_ms: int, end_ms: int
) -> NDArray[np.bool_]:
    """Tell of which minutes the ids prove that no trade of them or beside them is missing."""
    is_lacking = lacking(trades, np.arange(start_ms, end_ms, MINUTE_MS))
    proven = ~is_lacking[(opens - start_ms) // MINUTE_MS]
    proven &= opens > trades["time_ms"].min()
    inside: NDArray[np.bool_] = proven & (opens + MINUTE_MS <= trades["time_ms"].max())
    return inside


def _range(open_times: NDArray[np.int64]) -> tuple[int, int]:
    return int(open_times[0]), int(open_times[-1]) + MINUTE_MS
