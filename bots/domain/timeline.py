"""The minutes of one instrument as bots take them: settled ones, and the first that is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtests.domain.records import Integers
from backtests.domain.units import Units
from bots.domain.halves import Halves
from marketdata.domain.columns import CandleColumns
from marketdata.domain.timeframe import MINUTE_MS

LEFT_OUT: Final = -1
"""In place of a revision: the minute was not there, and was waited for in vain."""

OPENED: Final = -2
"""The same of a minute whose first trade was there: it has an opening half and no closing one."""

WAIT_MS: Final = 2 * MINUTE_MS
"""How long after its close a missing minute is waited for, when nobody repairs it."""

REPAIR_WAIT_MS: Final = 10 * MINUTE_MS
"""How long it is waited for while it is being repaired."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredMinutes:
    """What is stored of an instrument: 1m candles with their revisions, and first trades.

    `openings` are prices by open time; `known_ms` is the newest exchange time in any of it.
    """

    candles: CandleColumns
    revisions: Integers
    openings: Mapping[int, float]
    known_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Every minute from `start_ms` to the newest that is known of, by index.

    `holes` are the indices at which missing minutes begin that are still waited for; `length` is
    the number of minutes up to the newest candle. One more may be open: its first trade is known.
    """

    start_ms: int
    halves: Halves
    revisions: Integers
    length: int
    holes: Integers

    def index(self, time_ms: int) -> int:
        """Return the index of the minute that opens at `time_ms`; it may be out of range."""
        return (time_ms - self.start_ms) // MINUTE_MS

    def settled(self, index: int) -> int:
        """Return the index of the first minute at or after `index` that is not settled."""
        if not len(self.holes):
            return self.length
        later = int(np.searchsorted(self.holes, index))
        return int(self.holes[later]) if later < len(self.holes) else self.length

    def settled_ms(self, from_ms: int) -> int:
        """Return the open time of the first minute from `from_ms` on that is not settled."""
        return self.start_ms + self.settled(self.index(from_ms)) * MINUTE_MS


def timeline(
    stored: StoredMinutes,
    units: Units,
    start_ms: int,
    now_ms: int,
    repairs: Sequence[tuple[int, int]] = (),
) -> Timeline:
    """Return the minutes from `start_ms` on, at the exchange time `now_ms`.

    `repairs` are the stretches, from and to in ms, that are being repaired now.
    """
    candles = stored.candles
    first = int(np.searchsorted(candles.open_time_ms, start_ms))
    times = candles.open_time_ms[first:]
    length = (int(times[-1]) - start_ms) // MINUTE_MS + 1 if len(times) else 0
    newest_ms = start_ms + length * MINUTE_MS
    number = length + (newest_ms in stored.openings)
    places = (times - start_ms) // MINUTE_MS
    revisions = np.full(number, LEFT_OUT, np.int64)
    revisions[places] = stored.revisions[first:]
    halves = _halves(stored, units, start_ms, number, first, places)
    revisions[halves.is_open & ~halves.is_closed] = OPENED
    holes = _waited_for(halves, length, now_ms, repairs)
    return Timeline(start_ms, halves, revisions, length, holes)


def _halves(
    stored: StoredMinutes, units: Units, start_ms: int, number: int, first: int, places: Integers
) -> Halves:
    candles = stored.candles[first:]
    columns = {name: np.zeros(number, np.int64) for name in ("open", "high", "low", "close")}
    for name, column in columns.items():
        column[places] = units.ticks(candles[name])[0]
    is_closed = np.zeros(number, np.bool_)
    is_closed[places] = True
    is_open = np.zeros(number, np.bool_)
    is_open[places] = candles.volume > 0
    known = np.array([time for time in stored.openings if time >= start_ms], np.int64)
    prices = np.array([stored.openings[int(time)] for time in known], np.float64)
    indices = (known - start_ms) // MINUTE_MS
    # A first trade says what an order fills at, but a candle without volume has no opening half.
    used = indices < number
    used[used] &= is_open[indices[used]] | ~is_closed[indices[used]]
    columns["open"][indices[used]] = units.ticks(prices[used])[0]
    is_open[indices[used]] = True
    times = start_ms + MINUTE_MS * np.arange(number, dtype=np.int64)
    return Halves(
        times,
        is_open,
        is_closed,
        columns["open"],
        columns["high"],
        columns["low"],
        columns["close"],
    )


def _waited_for(
    halves: Halves, length: int, now_ms: int, repairs: Sequence[tuple[int, int]]
) -> Integers:
    """Return the first index of each hole that may still be filled in time."""
    missing: NDArray[np.bool_] = ~halves.is_closed[:length]
    edges = np.diff(np.concatenate(([0], missing.astype(np.int8), [0])))
    holes = []
    for first, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        opens_ms, closes_ms = int(halves.times[first]), int(halves.times[end - 1]) + MINUTE_MS
        is_repaired = any(start < closes_ms and opens_ms < stop for start, stop in repairs)
        if now_ms <= closes_ms + (REPAIR_WAIT_MS if is_repaired else WAIT_MS):
            holes.append(int(first))
    return np.array(holes, np.int64)
