"""Two exponential averages crossing, for several pairs of periods side by side."""

from __future__ import annotations

import numpy as np

from marketdata.domain.compiling import compiled
from marketdata.domain.indicators.kernels.smoothing import EMA_AVERAGE, EMA_STATE, corrected, ema
from strategies.domain.kernels.comparing import SAME
from strategies.domain.kernels.lanes import LANES, Codes, Floats, Integers, meeting, side_code


@compiled
def crossings(
    values: Floats,
    first: int,
    end: int,
    starts: Integers,
    fast: Integers,
    slow: Integers,
    codes: Codes,
) -> None:
    """Write the codes of `values[first:end]`, a stretch without a restart, for LANES pairs.

    Lane by lane the averages begin at `starts`, if that is within the stretch; then all go on
    together. 1 is above, 2 below, 0 neither; before a start nothing is written.
    """
    quick, late = np.empty(LANES), np.empty(LANES)
    weights, slow_weights = 2.0 / (fast + 1), 2.0 / (slow + 1)
    together = meeting(first, end, starts, np.maximum(fast, slow))
    for lane in range(LANES):
        near = slice(min(max(first, starts[lane]), together), together)
        quick[lane], late[lane] = _begin(values[near], fast[lane], slow[lane], codes[lane, near])
    made = np.empty(LANES, np.int8)
    for index in range(together, end):
        value = values[index]
        for lane in range(LANES):
            quick[lane] = corrected(quick[lane], value, weights[lane])
            late[lane] = corrected(late[lane], value, slow_weights[lane])
            made[lane] = side_code(quick[lane] - late[lane], SAME * abs(late[lane]))
        for lane in range(LANES):
            codes[lane, index] = made[lane]


@compiled
def _begin(values: Floats, fast: int, slow: int, codes: Codes) -> tuple[float, float]:
    """Walk one lane as the indicators by themselves do; return its two averages."""
    state, late_state = np.zeros(EMA_STATE), np.zeros(EMA_STATE)
    quick, late = np.empty(len(values)), np.empty(len(values))
    ema(values, fast, state, quick)
    ema(values, slow, late_state, late)
    for index in range(len(values)):
        codes[index] = side_code(quick[index] - late[index], SAME * abs(late[index]))
    return state[EMA_AVERAGE], late_state[EMA_AVERAGE]
