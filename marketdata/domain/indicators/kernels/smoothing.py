"""The exponential average, begun with a simple one: the step that EMA, RSI, ATR and ADX share."""

from __future__ import annotations

import math
from typing import Final

from marketdata.domain.compiling import compiled, multiply_add
from marketdata.domain.indicators.kernels.types import Floats

EMA_STATE: Final = 3
"""Numbers in the state of an average, and the place of the average among them."""
EMA_AVERAGE: Final = 2

MACD_STATE: Final = 7
"""Numbers in the state of MACD, and the places of its three averages among them."""
MACD_FAST: Final = 2
MACD_SLOW: Final = 4
MACD_SIGNAL: Final = 6


@compiled
def smooth(
    seen: float, anchor: float, average: float, value: float, period: int, weight: float
) -> tuple[float, float]:
    """Return anchor and average after `value`, when `seen` values came before it.

    The average is defined from the `period`-th value on, where it is the simple average of them;
    until then it holds the sum of their differences from the first, the anchor.
    """
    if seen >= period:
        return anchor, corrected(average, value, weight)
    if seen == 0:
        anchor = value
    average += value - anchor
    if seen + 1 == period:
        average = anchor + average / period
    return anchor, average


@compiled
def corrected(average: float, value: float, weight: float) -> float:
    """Return the next average. As a correction, a constant series stays exactly where it is."""
    return multiply_add(weight, value - average, average)


@compiled
def ema(values: Floats, period: int, state: Floats, averages: Floats) -> None:
    """Write the average of weight 2 / (period + 1). State: seen, anchor, average."""
    seen, anchor, average = int(state[0]), state[1], state[2]
    weight = 2.0 / (period + 1)
    early = min(max(period - seen, 0), len(values))
    for index in range(early):
        anchor, average = smooth(seen + index, anchor, average, values[index], period, weight)
        averages[index] = average if seen + index + 1 == period else math.nan
    for index in range(early, len(values)):
        average = corrected(average, values[index], weight)
        averages[index] = average
    state[0], state[1], state[2] = seen + len(values), anchor, average


@compiled
def macd(
    values: Floats,
    fast: int,
    slow: int,
    signal: int,
    state: Floats,
    lines: Floats,
    signals: Floats,
    histograms: Floats,
) -> None:
    """Write MACD, signal and histogram. State: seen, and anchor and average of the three EMAs.

    The fast average begins late, with the values that end where the slow one is first defined.
    """
    warm = slow + signal - 1
    early = min(max(warm - int(state[0]), 0), len(values))
    for index in range(early):
        _begin_macd(values[index], fast, slow, signal, state)
        lines[index] = signals[index] = histograms[index] = math.nan
        if state[0] == warm:
            lines[index] = state[MACD_FAST] - state[MACD_SLOW]
            signals[index] = state[MACD_SIGNAL]
            histograms[index] = lines[index] - signals[index]
    quick, late, average = state[MACD_FAST], state[MACD_SLOW], state[MACD_SIGNAL]
    weights = (2.0 / (fast + 1), 2.0 / (slow + 1), 2.0 / (signal + 1))
    for index in range(early, len(values)):
        quick = corrected(quick, values[index], weights[0])
        late = corrected(late, values[index], weights[1])
        line = quick - late
        average = corrected(average, line, weights[2])
        lines[index], signals[index], histograms[index] = line, average, line - average
    state[0] += len(values) - early
    state[MACD_FAST], state[MACD_SLOW], state[MACD_SIGNAL] = quick, late, average


@compiled
def _begin_macd(value: float, fast: int, slow: int, signal: int, state: Floats) -> None:
    seen = state[0]
    state[3], state[4] = smooth(seen, state[3], state[4], value, slow, 2.0 / (slow + 1))
    if seen >= slow - fast:
        before = seen - (slow - fast)
        state[1], state[2] = smooth(before, state[1], state[2], value, fast, 2.0 / (fast + 1))
    if seen >= slow - 1:
        before, line = seen - (slow - 1), state[2] - state[4]
        state[5], state[6] = smooth(before, state[5], state[6], line, signal, 2.0 / (signal + 1))
    state[0] = seen + 1
