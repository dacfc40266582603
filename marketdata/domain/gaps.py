"""What is missing: ids between stored trades, and candles on the grid of open times."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from marketdata.domain.records import Candles, InstrumentSpec, Trades
from marketdata.domain.resampling import resample
from marketdata.domain.timeframe import Timeframe

Stretch = tuple[int, int]
"""Start included, end not: of open times in UTC milliseconds, or of trade ids."""


class IdHole(NamedTuple):
    """Ids first to last, both included, that no trade covers, and the times on both sides."""

    first_id: int
    last_id: int
    after_ms: int
    before_ms: int


def id_holes(trades: Trades) -> list[IdHole]:
    """Return the ids missing between `trades`, which are in order of id.

    A row covers the ids trade_id - count + 1 to trade_id; rows that overlap are allowed.
    """
    if len(trades) < 2:
        return []
    covered = np.maximum.accumulate(trades["trade_id"])
    first_ids = trades["trade_id"] - trades["count"] + 1
    breaks = np.flatnonzero(first_ids[1:] > covered[:-1] + 1)
    return [
        IdHole(
            int(covered[row]) + 1,
            int(first_ids[row + 1]) - 1,
            int(trades["time_ms"][row]),
            int(trades["time_ms"][row + 1]),
        )
        for row in breaks.tolist()
    ]


def covered_ids(trades: Trades) -> list[Stretch]:
    """Return the stretches [first, last + 1) of ids that `trades`, in any order, cover.

    Ascending and apart: as many as there are holes between the trades, and one more.
    """
    if not len(trades):
        return []
    first_ids = trades["trade_id"] - trades["count"] + 1
    order = np.argsort(first_ids, kind="stable")
    first_ids, covered = first_ids[order], np.maximum.accumulate(trades["trade_id"][order])
    breaks = np.flatnonzero(first_ids[1:] > covered[:-1] + 1)
    starts = first_ids[np.concatenate([[0], breaks + 1])]
    ends = covered[np.concatenate([breaks, [len(trades) - 1]])] + 1
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def wrong_windows(
    minutes: Candles, stored: Candles, timeframe: Timeframe, spec: InstrumentSpec, end_ms: int
) -> list[Stretch]:
    """Return the windows of `timeframe` whose candle is absent or is not its minutes' sum.

    `minutes` are all stored 1m candles of whole windows, `stored` the candles of the timeframe in
    the same range. Windows that end after `end_ms` are not closed yet and not judged. What is
    compared are prices, volumes and the number of whole minutes; joined where windows touch.
    """
    expected = resample(minutes, timeframe, spec)
    expected = expected[expected["open_time_ms"] + timeframe.ms <= end_ms]
    if not len(expected):
        return []
    place = np.searchsorted(stored["open_time_ms"], expected["open_time_ms"])
    is_wrong = np.ones(len(expected), dtype=bool)
    if len(stored):
        found = stored[np.minimum(place, len(stored) - 1)]
        is_wrong = found["open_time_ms"] != expected["open_time_ms"]
        for name in ("open", "high", "low", "close", "volume", "quote_volume", "minutes"):
            is_wrong |= found[name] != expected[name]
    opens = expected["open_time_ms"][is_wrong].tolist()
    return joined((open_ms, open_ms + timeframe.ms) for open_ms in opens)


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return the stretches ascending, as one where they overlap or touch, without empty ones."""
    result: list[Stretch] = []
    for start, end in sorted(one for one in stretches if one[0] < one[1]):
        if result and start <= result[-1][1]:
            result[-1] = result[-1][0], max(result[-1][1], end)
        else:
            result.append((start, end))
    return result


def without(stretches: Iterable[Stretch], others: Iterable[Stretch]) -> list[Stretch]:
    """Return what of `stretches` lies in none of `others`, ascending and joined."""
    result: list[Stretch] = []
    cuts = joined(others)
    place = 0
    for start, end in joined(stretches):
        while place < len(cuts) and cuts[place][1] <= start:
            place += 1
        position, row = start, place
        while row < len(cuts) and cuts[row][0] < end:
            result.append((position, min(end, cuts[row][0])))
            position = max(position, cuts[row][1])
            row += 1
        result.append((position, end))
    return [one for one in result if one[0] < one[1]]


def touches(stretch: Stretch, others: Iterable[Stretch]) -> bool:
    """Return whether `stretch` overlaps any of `others`."""
    return any(start < stretch[1] and stretch[0] < end for start, end in others)
