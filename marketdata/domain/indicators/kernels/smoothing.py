"""The exponential average, begun with a simple one: the step that EMA, RSI, ATR and ADX share."""

from __future__ import annotations

import math

from marketdata.domain.compiling import compiled, multiply_add
from marketdata.domain.indicators.kernels.types import Floats


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
    seen, warm = state[0], slow + signal - 1
    fast_anchor, fast_average, slow_anchor, slow_average = state[1], state[2], state[3], state[4]
    signal_anchor, signal_average = state[5], state[6]
    fast_weight, slow_weight = 2.0 / (fast + 1), 2.0 / (slow + 1)
    signal_weight = 2.0 / (signal + 1)
    for index in range(len(values)):
        value = values[index]
        if seen >= warm:
            fast_average = corrected(fast_average, value, fast_weight)
            slow_average = corrected(slow_average, value, slow_weight)
            line = fast_average - slow_average
            signal_average = corrected(signal_average, line, signal_weight)
            lines[index], signals[index] = line, signal_average
            histograms[index] = line - signal_average
            continue
        slow_anchor, slow_average = smooth(
            seen, slow_anchor, slow_average, value, slow, slow_weight
        )
        if seen >= slow - fast:
            fast_anchor, fast_average = smooth(
                seen - (slow - fast), fast_anchor, fast_average, value, fast, fast_weight
            )
        line = fast_average - slow_average
        seen += 1
        if seen >= slow:
            signal_anchor, signal_average = smooth(
                seen - slow, signal_anchor, signal_average, line, signal, signal_weight
            )
        is_warm = seen >= warm
        lines[index] = line if is_warm else math.nan
        signals[index] = signal_average if is_warm else math.nan
        histograms[index] = line - signal_average if is_warm else math.nan
    state[0] = seen
    state[1], state[2], state[3], state[4] = fast_anchor, fast_average, slow_anchor, slow_average
    state[5], state[6] = signal_anchor, signal_average
