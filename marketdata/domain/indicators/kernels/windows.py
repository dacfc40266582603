"""Indicators made of sliding windows: bands, channels, position in the range, rate of change."""

from __future__ import annotations

import math

import numpy as np

from marketdata.domain.compiling import compiled
from marketdata.domain.indicators.kernels.sliding import blank, extreme, mean, mean_and_variance
from marketdata.domain.indicators.kernels.types import Floats


@compiled
def bollinger(
    closes: Floats,
    period: int,
    deviations: float,
    state: Floats,
    middle: Floats,
    upper: Floats,
    lower: Floats,
) -> None:
    """Write mean, mean + deviations and mean - deviations. State: of mean and variance."""
    mean_and_variance(closes, period, 0, state, middle, upper)
    for index in range(len(closes)):
        width = deviations * math.sqrt(max(upper[index], 0.0))
        upper[index] = middle[index] + width
        lower[index] = middle[index] - width


@compiled
def deviation(closes: Floats, period: int, ddof: int, state: Floats, deviations: Floats) -> None:
    """Write the standard deviation. State: of mean and variance."""
    warm = period - 1 - int(state[0])
    mean_and_variance(closes, period, ddof, state, np.empty_like(closes), deviations)
    for index in range(len(closes)):
        deviations[index] = math.sqrt(max(deviations[index], 0.0))
    blank(deviations, warm)


@compiled
def donchian(
    highs: Floats,
    lows: Floats,
    period: int,
    state: Floats,
    upper: Floats,
    middle: Floats,
    lower: Floats,
) -> None:
    """Write the highest high, the middle and the lowest low. State: of both extremes."""
    extreme(highs, period, 1.0, state[: period + 3], upper)
    extreme(lows, period, -1.0, state[period + 3 :], lower)
    for index in range(len(highs)):
        middle[index] = lower[index] + (upper[index] - lower[index]) / 2


@compiled
def stochastic(
    highs: Floats,
    lows: Floats,
    closes: Floats,
    period: int,
    smoothing: int,
    signal: int,
    state: Floats,
    k: Floats,
    d: Floats,
) -> None:
    """Write %K, smoothed, and %D. State: of both extremes, then of both means."""
    seen, raw, first = int(state[0]), np.empty_like(closes), 2 * (period + 3)
    extreme(highs, period, 1.0, state[: period + 3], k)
    extreme(lows, period, -1.0, state[period + 3 : first], d)
    for index in range(len(closes)):
        width = k[index] - d[index]
        raw[index] = 100.0 * (closes[index] - d[index]) / width if width > 0 else 50.0
    second = first + smoothing + 4
    late = min(max(period - 1 - seen, 0), len(closes))
    mean(raw[late:], smoothing, state[first:second], k[late:])
    late = min(max(period + smoothing - 2 - seen, 0), len(closes))
    mean(k[late:], signal, state[second:], d[late:])
    blank(k, period + smoothing + signal - 3 - seen)
    blank(d, period + smoothing + signal - 3 - seen)


@compiled
def roc(closes: Floats, period: int, state: Floats, changes: Floats) -> None:
    """Write the change over `period` candles in percent. State: seen, the last closes."""
    seen, ring = int(state[0]), state[1:]
    place = seen % period
    for index in range(len(closes)):
        change = percent_change(ring[place], closes[index])
        changes[index] = change if seen + index >= period else math.nan
        ring[place] = closes[index]
        place = place + 1 if place + 1 < period else 0
    state[0] = seen + len(closes)


@compiled
def percent_change(before: float, after: float) -> float:
    """Return the rate of change in percent; 0 beside a price of zero."""
    return 100.0 * (after - before) / before if before != 0 else 0.0
