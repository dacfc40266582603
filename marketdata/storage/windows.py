"""Which higher candles are closed once minutes are stored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.records import Candles
from marketdata.domain.timeframe import HIGHER_TIMEFRAMES, MINUTE_MS, Timeframe
from marketdata.storage.candles import Bounds

Windows = dict[Timeframe, NDArray[np.int64]]
"""Open times by timeframe."""


def closed_windows(minutes: Candles, bounds: Bounds) -> Windows:
    """Return the open times of the windows that `minutes` touch or complete, by timeframe."""
    open_times = minutes["open_time_ms"]
    newest_ms = int(open_times[-1])
    if bounds.newest_ms is not None:
        newest_ms = max(newest_ms, bounds.newest_ms)
    windows: Windows = {}
    for timeframe in HIGHER_TIMEFRAMES:
        opens = _distinct(open_times // timeframe.ms) * timeframe.ms
        if bounds.newest_ms is not None:
            waiting_ms = timeframe.open_time(bounds.newest_ms)
            # The window of the newest minute was still open, unless that minute was its last.
            if waiting_ms + timeframe.ms > bounds.newest_ms + MINUTE_MS:
                opens = np.union1d(opens, waiting_ms)
        windows[timeframe] = opens[opens + timeframe.ms <= newest_ms + MINUTE_MS]
    return windows


def _distinct(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    # Neighbours first: nearly all repetitions are gone before anything is sorted.
    return np.unique(numbers[np.append(True, numbers[1:] != numbers[:-1])])


def span_of(minutes: Candles, windows: Windows) -> tuple[int, int]:
    """Return the first open time of the minutes and of the windows, and the end of the last."""
    start_ms, end_ms = _touched(minutes)
    for timeframe, opens in windows.items():
        if len(opens):
            start_ms = min(start_ms, int(opens[0]))
            end_ms = max(end_ms, int(opens[-1]) + timeframe.ms)
    return start_ms, end_ms


def _touched(minutes: Candles) -> tuple[int, int]:
    return int(minutes["open_time_ms"][0]), int(minutes["open_time_ms"][-1]) + MINUTE_MS
