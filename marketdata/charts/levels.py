"""Level of detail: which candles a stretch of time is shown with.

A chart's cost grows with the candles it holds, so a window is answered with the finest stored
timeframe that fits, and beyond that with bins of whole days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.records import CANDLE_DTYPE, UNKNOWN, Candles
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe

MAX_POINTS: Final = 800
"""The most candles a window holds."""

_BIN_DAYS: Final = (2, 3, 5, 7, 10, 14, 20, 30, 60, 90)

LEVELS_MS: Final = (
    *(timeframe.ms for timeframe in Timeframe),
    *(days * DAY_MS for days in _BIN_DAYS),
)
"""The lengths of candles that windows come in, but for histories of many decades."""


@dataclass(frozen=True, slots=True)
class Level:
    """The candles of a window: a stored timeframe, or bins of `days` days made of 1d candles."""

    timeframe: Timeframe
    days: int = 1

    @property
    def ms(self) -> int:
        """The length of one candle in milliseconds."""
        return self.timeframe.ms * self.days

    @property
    def name(self) -> str:
        """What people read: 1m, 4h, 1d, 7d."""
        return f"{self.days}d" if self.days > 1 else self.timeframe.value

    def open_time(self, time_ms: int) -> int:
        """Return the open time of the candle that covers `time_ms`; bins count from 1970."""
        return time_ms - time_ms % self.ms

    def whole(self, start_ms: int, end_ms: int) -> tuple[int, int]:
        """Return [start_ms, end_ms) widened to whole candles: none is made of a part of itself."""
        return self.open_time(start_ms), -self.open_time(-end_ms)


def fitting_level(start_ms: int, end_ms: int, finest: Timeframe, points: int = MAX_POINTS) -> Level:
    """Return the finest level, not finer than `finest`, whose `whole` has at most `points`."""
    levels = [
        *(Level(timeframe) for timeframe in Timeframe if timeframe.ms >= finest.ms),
        *(Level(Timeframe.D1, days) for days in _BIN_DAYS),
    ]
    for level in levels:
        if _candles(level, start_ms, end_ms) <= points:
            return level
    level = Level(Timeframe.D1, -(-(end_ms - start_ms) // (DAY_MS * points)))
    while _candles(level, start_ms, end_ms) > points:
        level = Level(Timeframe.D1, level.days + 1)
    return level


def bin_candles(candles: Candles, level: Level) -> Candles:
    """Return the daily `candles` merged into bins of `level.days` days; others as they are.

    Volumes are float sums here: bins are drawn, never stored.
    """
    if level.days == 1 or not len(candles):
        return candles
    opens = candles["open_time_ms"] - candles["open_time_ms"] % level.ms
    starts = np.flatnonzero(np.diff(opens, prepend=opens[0] - 1))
    last = np.append(starts[1:], len(candles)) - 1
    bins = np.zeros(len(starts), dtype=CANDLE_DTYPE)
    bins["open_time_ms"] = opens[starts]
    bins["open"] = candles["open"][starts]
    bins["close"] = candles["close"][last]
    bins["high"] = np.maximum.reduceat(candles["high"], starts)
    bins["low"] = np.minimum.reduceat(candles["low"], starts)
    for column in ("volume", "quote_volume"):
        bins[column] = np.add.reduceat(candles[column], starts)
    bins["trade_count"] = _summed_counts(candles["trade_count"], starts)
    bins["first_trade_id"] = candles["first_trade_id"][starts]
    bins["last_trade_id"] = candles["last_trade_id"][last]
    bins["closed_at_ms"] = candles["closed_at_ms"][last]
    bins["source"] = candles["source"][starts]
    return bins


def incomplete_times(candles: Candles, level: Level) -> NDArray[np.int64]:
    """Return the open times, at `level`, of candles in which minutes are missing.

    `candles` are the stored ones, before binning. A bin misses the minutes of its absent days too,
    be they lost, before the first one or still to come.
    """
    opens = candles["open_time_ms"] - candles["open_time_ms"] % level.ms
    times, places = np.unique(opens, return_inverse=True)
    minutes = np.bincount(places, weights=candles["minutes"], minlength=len(times))
    incomplete: NDArray[np.int64] = times[minutes < level.ms // MINUTE_MS]
    return incomplete


def _candles(level: Level, start_ms: int, end_ms: int) -> int:
    first_ms, last_ms = level.whole(start_ms, end_ms)
    return (last_ms - first_ms) // level.ms


def _summed_counts(counts: NDArray[np.int64], starts: NDArray[np.intp]) -> NDArray[np.int64]:
    unknown = np.logical_or.reduceat(counts == UNKNOWN, starts)
    sums: NDArray[np.int64] = np.where(unknown, UNKNOWN, np.add.reduceat(counts, starts))
    return sums
