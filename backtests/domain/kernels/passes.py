"""Single passes over a run's minutes, where NumPy would make many with arrays between them."""

from __future__ import annotations

from backtests.domain.records import PPM, UNCHANGED, Flags, Integers
from marketdata.domain.columns import Floats
from marketdata.domain.compiling import compiled


@compiled
def to_decisions(targets: Floats, decisions: Integers) -> int:
    """Fill `decisions` with targets in millionths, UNCHANGED for NaN.

    Returns the index of the first target beyond -1 to 1; the number of targets when there is none.
    """
    for index in range(len(targets)):
        target = targets[index]
        if target != target:
            decisions[index] = UNCHANGED
        elif -1.0 <= target <= 1.0:
            decisions[index] = round(target * PPM)
        else:
            return index
    return len(targets)


@compiled
def to_ticks(prices: Floats, factor: float, is_multiplied: bool, ticks: Integers) -> int:
    """Fill `ticks` with the nearest whole number to price x (or /) `factor`; return the highest."""
    highest = 0
    for index in range(len(prices)):
        scaled = prices[index] * factor if is_multiplied else prices[index] / factor
        ticks[index] = round(scaled)
        highest = max(highest, ticks[index])
    return highest


@compiled
def to_traded(volumes: Floats, traded: Flags) -> None:
    """Fill `traded` with whether there was volume."""
    for index in range(len(volumes)):
        traded[index] = volumes[index] > 0.0


@compiled
def deepest_fall(
    times_ms: Integers, equity: Integers, start: int
) -> tuple[float, int, int, int, int]:
    """Return depth, indices of peak, trough and recovery, and the longest time below a peak in ms.

    A peak of -1 is the initial balance `start`, a recovery of -1 one that did not come.
    """
    best, peak, depth = start, -1, 0.0
    deep_peak, trough, recovered = -1, -1, -1
    longest, since = 0, times_ms[0]
    for index in range(len(equity)):
        worth = equity[index]
        if worth >= best:
            if trough >= 0 and recovered < 0:
                recovered = index
            longest = max(longest, times_ms[index] - since)
            best, peak, since = worth, index, times_ms[index]
            continue
        fall = 1.0 - worth / best
        if fall > depth:
            depth, deep_peak, trough, recovered = fall, peak, index, -1
    return depth, deep_peak, trough, recovered, max(longest, times_ms[-1] - since)
