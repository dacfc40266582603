"""How far equity fell below its best, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backtests.domain.records import Integers


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest fall, as a share of the peak, and the longest time below a peak.

    Times are close times in ms; `recovered_ms` is None while the peak was not reached again.
    """

    depth: float
    peak_ms: int
    trough_ms: int
    recovered_ms: int | None
    longest_ms: int


def underwater(equity: Integers, start: int) -> NDArray[np.float64]:
    """Return 1 - equity / running maximum; the maximum begins at the initial balance `start`."""
    best = np.maximum.accumulate(np.maximum(equity, start))
    share: NDArray[np.float64] = 1.0 - equity / best
    return share


def deepest(times_ms: Integers, equity: Integers, start: int) -> Drawdown:
    """Return the deepest fall of `equity`, marked at the closes `times_ms`, neither empty."""
    best = np.maximum.accumulate(np.maximum(equity, start))
    share = 1.0 - equity / best
    trough = int(np.argmax(share))
    depth = float(share[trough])
    is_best = equity >= best
    if depth <= 0:
        return Drawdown(0.0, int(times_ms[0]), int(times_ms[0]), int(times_ms[0]), 0)
    at_best = np.flatnonzero(is_best)
    before = at_best[at_best <= trough]
    after = at_best[at_best > trough]
    return Drawdown(
        depth=depth,
        peak_ms=int(times_ms[before[-1]]) if len(before) else int(times_ms[0]),
        trough_ms=int(times_ms[trough]),
        recovered_ms=int(times_ms[after[0]]) if len(after) else None,
        longest_ms=_longest(times_ms, at_best),
    )


def _longest(times_ms: Integers, at_best: NDArray[np.int64]) -> int:
    """Return the longest time between two closes at a peak, both ends of the run counted."""
    edges = np.concatenate(([0], at_best, [len(times_ms) - 1]))
    return int(np.max(np.diff(times_ms[edges])))
