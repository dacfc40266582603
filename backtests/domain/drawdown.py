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
    # Imported at the first use: importing Numba takes longer than starting a web process.
    from backtests.domain.kernels.passes import deepest_fall

    depth, peak, trough, recovered, longest_ms = deepest_fall(times_ms, equity, start)
    begin_ms = int(times_ms[0])
    if depth <= 0:
        return Drawdown(0.0, begin_ms, begin_ms, begin_ms, 0)
    return Drawdown(
        depth=float(depth),
        peak_ms=begin_ms if peak < 0 else int(times_ms[peak]),
        trough_ms=int(times_ms[trough]),
        recovered_ms=None if recovered < 0 else int(times_ms[recovered]),
        longest_ms=int(longest_ms),
    )
