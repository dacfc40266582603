"""How long it takes from an event on the exchange until it is stored."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.records import Trades

WINDOW_S: Final = 60.0
_PARTS: Final = 12

# Upper bounds of the classes in ms, each a tenth above the one before: from 1 ms to 3 hours.
_BOUNDS: Final = np.power(1.1, np.arange(171, dtype=np.float64))


class LagMeter:
    """A histogram over the last minute of stored trades, in parts of five seconds.

    A figure is at most a tenth above the true one. Times of the exchange are compared with this
    machine's clock: with an exchange whose time is its own, simulated or replayed, they mean
    nothing. `add` is for the writer's thread or loop; `figures` may be called from another.
    """

    def __init__(
        self,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall_ms, self._monotonic = wall_ms, monotonic
        self._counts = np.zeros((_PARTS, len(_BOUNDS) + 1), dtype=np.int64)
        self._numbers = np.full(_PARTS, -1, dtype=np.int64)
        self._lock = threading.Lock()

    def add(self, trades: Trades) -> None:
        """Count trades that have just been stored."""
        if not len(trades):
            return
        lags = self._wall_ms() - trades["time_ms"]
        classes = np.searchsorted(_BOUNDS, lags)
        found = np.bincount(classes, minlength=len(_BOUNDS) + 1)
        number = self._number()
        with self._lock:
            place = number % _PARTS
            if self._numbers[place] != number:
                self._numbers[place] = number
                self._counts[place] = 0
            self._counts[place] += found

    def figures(self) -> dict[str, Any]:
        """Return p50 and p99 in ms and the trades a second; lags are None without a trade."""
        with self._lock:
            fresh = self._numbers > self._number() - _PARTS
            counts = self._counts[fresh].sum(axis=0)
        total = int(counts.sum())
        return {
            "p50_ms": _percentile(counts, 0.50),
            "p99_ms": _percentile(counts, 0.99),
            "trades_s": round(total / WINDOW_S, 2),
        }

    def _number(self) -> int:
        return int(self._monotonic() / (WINDOW_S / _PARTS))


def _percentile(counts: NDArray[np.int64], share: float) -> int | None:
    """Return the upper bound of the class in which the share of all is reached."""
    total = counts.sum()
    if not total:
        return None
    place = int(np.searchsorted(np.cumsum(counts), share * total))
    return round(float(_BOUNDS[min(place, len(_BOUNDS) - 1)]))
