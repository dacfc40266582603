"""Wilder's averages: relative strength, true range and directional movement."""

from __future__ import annotations

import math
from typing import Final

from marketdata.domain.compiling import compiled
from marketdata.domain.indicators.kernels.smoothing import corrected, smooth
from marketdata.domain.indicators.kernels.types import Floats

RSI_STATE: Final = 6
"""Numbers in the state of the RSI, and the places of its two averages among them."""
RSI_RISE: Final = 3
RSI_FALL: Final = 5


@compiled
def rsi(closes: Floats, period: int, state: Floats, strengths: Floats) -> None:
    """Write the relative strength index. State: seen, last close, anchors and averages."""
    seen, last = int(state[0]), state[1]
    rise_anchor, rise, fall_anchor, fall = state[2], state[RSI_RISE], state[4], state[RSI_FALL]
    weight, early = 1.0 / period, min(max(period + 1 - seen, 0), len(closes))
    for index in range(early):
        if seen + index > 0:
            up, down = max(closes[index] - last, 0.0), max(last - closes[index], 0.0)
            rise_anchor, rise = smooth(seen + index - 1, rise_anchor, rise, up, period, weight)
            fall_anchor, fall = smooth(seen + index - 1, fall_anchor, fall, down, period, weight)
        last = closes[index]
        strengths[index] = strength(rise, fall) if seen + index == period else math.nan
    for index in range(early, len(closes)):
        change = closes[index] - last
        rise = corrected(rise, max(change, 0.0), weight)
        fall = corrected(fall, max(-change, 0.0), weight)
        last = closes[index]
        strengths[index] = strength(rise, fall)
    state[0], state[1] = seen + len(closes), last
    state[2], state[RSI_RISE], state[4], state[RSI_FALL] = rise_anchor, rise, fall_anchor, fall


@compiled
def atr(
    highs: Floats, lows: Floats, closes: Floats, period: int, state: Floats, ranges: Floats
) -> None:
    """Write the average true range. State: seen, last close, anchor, average."""
    seen, last, anchor, average = state[0], state[1], state[2], state[3]
    weight = 1.0 / period
    for index in range(len(closes)):
        if seen > 0:
            reach = _true_range(highs[index], lows[index], last)
            anchor, average = smooth(seen - 1, anchor, average, reach, period, weight)
        last = closes[index]
        seen += 1
        ranges[index] = average if seen > period else math.nan
    state[0], state[1], state[2], state[3] = seen, last, anchor, average


@compiled
def adx(
    highs: Floats,
    lows: Floats,
    closes: Floats,
    period: int,
    state: Floats,
    strengths: Floats,
    plus: Floats,
    minus: Floats,
) -> None:
    """Write ADX, +DI and -DI. State: seen, last high, low and close, anchors and averages.

    The first candle has no movement and counts as one of none, which is how Wilder's sums of
    period - 1 movements become an average.
    """
    seen, high, low, close = state[0], state[1], state[2], state[3]
    rise, fall, reach, index_anchor, average = state[4], state[5], state[6], state[7], state[8]
    weight = 1.0 / period
    for index in range(len(closes)):
        up = down = wide = 0.0
        if seen > 0:
            up, down = _movements(highs[index] - high, low - lows[index])
            wide = _true_range(highs[index], lows[index], close)
        _, rise = smooth(seen, 0.0, rise, up, period, weight)
        _, fall = smooth(seen, 0.0, fall, down, period, weight)
        _, reach = smooth(seen, 0.0, reach, wide, period, weight)
        high, low, close = highs[index], lows[index], closes[index]
        plus[index], minus[index] = _share(rise, reach, 0.0), _share(fall, reach, 0.0)
        if seen >= period:
            direction = _share(abs(rise - fall), rise + fall, 0.0)
            index_anchor, average = smooth(
                seen - period, index_anchor, average, direction, period, weight
            )
        seen += 1
        strengths[index] = average
        if seen < 2 * period:
            strengths[index] = plus[index] = minus[index] = math.nan
    state[0], state[1], state[2], state[3] = seen, high, low, close
    state[4], state[5], state[6], state[7], state[8] = rise, fall, reach, index_anchor, average


@compiled
def _share(part: float, whole: float, otherwise: float) -> float:
    return 100.0 * part / whole if whole > 0 else otherwise


@compiled
def strength(rise: float, fall: float) -> float:
    """Return the share of rises in all movement, in percent; 50 where there is none."""
    return _share(rise, rise + fall, 50.0)


@compiled
def _true_range(high: float, low: float, last_close: float) -> float:
    return max(high, last_close) - min(low, last_close)


@compiled
def _movements(up: float, down: float) -> tuple[float, float]:
    if up > down and up > 0:
        return up, 0.0
    if down > up and down > 0:
        return 0.0, down
    return 0.0, 0.0
