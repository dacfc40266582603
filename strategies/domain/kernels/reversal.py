"""Relative strength beyond two levels, for several periods and levels side by side."""

from __future__ import annotations

import numpy as np

from marketdata.domain.compiling import compiled
from marketdata.domain.indicators.kernels.ranges import (
    RSI_FALL,
    RSI_RISE,
    RSI_STATE,
    rsi,
    strength,
)
from marketdata.domain.indicators.kernels.smoothing import corrected
from marketdata.domain.indicators.kernels.windows import percent_change
from strategies.domain.kernels.lanes import LANES, Codes, Floats, Integers, meeting


@compiled
def reversals(
    values: Floats,
    first: int,
    end: int,
    starts: Integers,
    period: Integers,
    low: Floats,
    high: Floats,
    codes: Codes,
) -> None:
    """Write the codes of `values[first:end]`, a stretch without a restart, for LANES sets.

    As `crossings` does: lane by lane until all are warm, then together. 1 is below `low`, 2 above
    `high`, which is higher; 0 is neither, or a price that rests.
    """
    rise, fall, weights = np.empty(LANES), np.empty(LANES), 1.0 / period
    together = meeting(first, end, starts, period + 1)
    for lane in range(LANES):
        near = slice(min(max(first, starts[lane]), together), together)
        rise[lane], fall[lane] = _begin(
            values[near], period[lane], low[lane], high[lane], codes[lane, near]
        )
    made = np.empty(LANES, np.int8)
    for index in range(together, end):
        change = values[index] - values[index - 1]
        up, down = max(change, 0.0), max(-change, 0.0)
        for lane in range(LANES):
            rise[lane] = corrected(rise[lane], up, weights[lane])
            fall[lane] = corrected(fall[lane], down, weights[lane])
            strong = strength(rise[lane], fall[lane])
            made[lane] = (strong < low[lane]) + 2 * (strong > high[lane])
        has_moved = percent_change(values[index - 1], values[index]) != 0
        for lane in range(LANES):
            codes[lane, index] = made[lane] if has_moved else 0


@compiled
def _begin(
    values: Floats, period: int, low: float, high: float, codes: Codes
) -> tuple[float, float]:
    """Walk one lane as the indicator by itself does; return its two averages."""
    state, strengths = np.zeros(RSI_STATE), np.empty(len(values))
    rsi(values, period, state, strengths)
    for index in range(len(values)):
        codes[index] = 0
        if index > 0 and percent_change(values[index - 1], values[index]) != 0:
            codes[index] = (strengths[index] < low) + 2 * (strengths[index] > high)
    return state[RSI_RISE], state[RSI_FALL]
