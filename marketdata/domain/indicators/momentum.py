"""Oscillators: RSI and MACD."""

from __future__ import annotations

import numpy as np

from marketdata.domain.errors import InvalidIndicator
from marketdata.domain.indicators.base import (
    Floats,
    Indicator,
    Parameter,
    Parameters,
    forgetting,
    undefined,
)
from marketdata.domain.indicators.trend import ema, ema_weight, recursive


def rsi(closes: Floats, period: int) -> Floats:
    """Return Wilder's relative strength index, 0 to 100.

    100 * gain / (gain + loss), where gain and loss are the averages of the rises and falls from
    close to close, smoothed with weight 1 / period and begun with the mean of the first `period`
    of them (J. Welles Wilder, New Concepts in Technical Trading Systems, 1978; as TA-Lib). NaN
    before index `period`; 50 while the price has never moved.
    """
    index = undefined(closes)
    if len(closes) <= period:
        return index
    changes = np.diff(closes)
    gain = recursive(np.maximum(changes, 0), period, 1 / period, period - 1)[period - 1 :]
    loss = recursive(np.maximum(-changes, 0), period, 1 / period, period - 1)[period - 1 :]
    moved = gain + loss
    has_moved = moved > 0
    index[period:] = np.where(has_moved, 100 * gain / np.where(has_moved, moved, 1), 50)
    return index


def macd(closes: Floats, fast: int, slow: int, signal: int) -> tuple[Floats, Floats, Floats]:
    """Return MACD, its signal line and the histogram (Gerald Appel), begun as TA-Lib does.

    MACD is the fast EMA less the slow EMA; both start at index slow - 1, each from the simple
    average of its last closes there. The signal is the EMA of MACD, begun with the mean of its
    first `signal` values; the histogram is MACD less signal. All are NaN before index
    slow + signal - 2. Raises InvalidIndicator unless fast < slow.
    """
    if fast >= slow:
        raise InvalidIndicator(f"expected fast below slow; were {fast} and {slow}")
    line = ema(closes, fast, first=slow - 1) - ema(closes, slow)
    average = ema(line, signal, first=slow + signal - 2)
    line[: slow + signal - 2] = np.nan
    return line, average, line - average


def _rsi(closes: Floats, params: Parameters) -> tuple[Floats, ...]:
    return (rsi(closes, int(params["period"])),)


def _macd(closes: Floats, params: Parameters) -> tuple[Floats, ...]:
    return macd(closes, int(params["fast"]), int(params["slow"]), int(params["signal"]))


def _macd_settled(params: Parameters) -> int:
    slow, signal = params["slow"], params["signal"]
    return int(slow + signal) + forgetting(ema_weight(slow)) + forgetting(ema_weight(signal))


RSI = Indicator(
    key="rsi",
    title="Relative strength index",
    parameters=(Parameter("period", "Period", 14, 2, 200),),
    outputs=("rsi",),
    pane="rsi",
    formula=_rsi,
    settled=lambda params: int(params["period"]) + forgetting(1 / params["period"]),
)

MACD = Indicator(
    key="macd",
    title="MACD",
    parameters=(
        Parameter("fast", "Fast period", 12, 1, 200),
        Parameter("slow", "Slow period", 26, 2, 400),
        Parameter("signal", "Signal period", 9, 1, 200),
    ),
    outputs=("macd", "signal", "histogram"),
    pane="macd",
    formula=_macd,
    settled=_macd_settled,
)
