"""MACD crossing its signal line, for several sets of periods side by side."""

from __future__ import annotations

import numpy as np

from marketdata.domain.compiling import compiled
from marketdata.domain.indicators.kernels.smoothing import (
    MACD_FAST,
    MACD_SIGNAL,
    MACD_SLOW,
    MACD_STATE,
    corrected,
    macd,
)
from strategies.domain.kernels.comparing import SAME
from strategies.domain.kernels.lanes import LANES, Codes, Floats, Integers, meeting, side_code


@compiled
def signal_crossings(
    values: Floats,
    first: int,
    end: int,
    starts: Integers,
    fast: Integers,
    slow: Integers,
    signal: Integers,
    codes: Codes,
) -> None:
    """Write the codes of `values[first:end]`, a stretch without a restart, for LANES sets.

    As `crossings` does: lane by lane until all are warm, then together.
    """
    quick, late, average = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    weights, slow_weights = 2.0 / (fast + 1), 2.0 / (slow + 1)
    signal_weights = 2.0 / (signal + 1)
    together = meeting(first, end, starts, slow + signal)
    for lane in range(LANES):
        near = slice(min(max(first, starts[lane]), together), together)
        quick[lane], late[lane], average[lane] = _begin(
            values[near], fast[lane], slow[lane], signal[lane], codes[lane, near]
        )
    made = np.empty(LANES, np.int8)
    for index in range(together, end):
        value = values[index]
        least = SAME * abs(value)
        for lane in range(LANES):
            quick[lane] = corrected(quick[lane], value, weights[lane])
            late[lane] = corrected(late[lane], value, slow_weights[lane])
            line = quick[lane] - late[lane]
            average[lane] = corrected(average[lane], line, signal_weights[lane])
            difference = line - average[lane]
            made[lane] = side_code(difference, least)
        for lane in range(LANES):
            codes[lane, index] = made[lane]


@compiled
def _begin(
    values: Floats, fast: int, slow: int, signal: int, codes: Codes
) -> tuple[float, float, float]:
    """Walk one lane as the indicator by itself does; return its three averages."""
    state, lines = np.zeros(MACD_STATE), np.empty(len(values))
    signals, rest = np.empty_like(lines), np.empty_like(lines)
    macd(values, fast, slow, signal, state, lines, signals, rest)
    for index in range(len(values)):
        difference, least = lines[index] - signals[index], SAME * abs(values[index])
        codes[index] = side_code(difference, least)
    return state[MACD_FAST], state[MACD_SLOW], state[MACD_SIGNAL]
