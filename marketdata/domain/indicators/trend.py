"""Moving averages."""

from __future__ import annotations

import numpy as np
import pandas as pd

from marketdata.domain.indicators.base import (
    PRICE_PANE,
    Floats,
    Indicator,
    Parameter,
    Parameters,
    forgetting,
    undefined,
)


def sma(values: Floats, period: int) -> Floats:
    """Return the simple moving average: the mean of the last `period` values.

    NaN before index period - 1. Every window is added on its own, so that a value depends on its
    window alone and no rounding error travels along the series.
    """
    averages = undefined(values)
    length = len(values) - period + 1
    if length > 0:
        total = values[:length].copy()
        for offset in range(1, period):
            total += values[offset : offset + length]
        averages[period - 1 :] = total / period
    return averages


def ema(values: Floats, period: int, *, first: int | None = None) -> Floats:
    """Return the exponential moving average of weight 2 / (period + 1).

    ema[i] = ema[i-1] + 2 / (period + 1) * (values[i] - ema[i-1]), begun as TA-Lib does with the
    simple average of the `period` values up to index `first` (default period - 1); NaN before.
    """
    return recursive(values, period, 2 / (period + 1), period - 1 if first is None else first)


def recursive(values: Floats, period: int, alpha: float, first: int) -> Floats:
    """Return average[i] = average[i-1] + alpha * (values[i] - average[i-1]).

    It begins at index `first` with the mean of the `period` values up to there; NaN before.
    """
    averages = undefined(values)
    if first < len(values):
        tail = values[first:].copy()
        tail[0] = np.mean(values[first - period + 1 : first + 1])
        averages[first:] = pd.Series(tail).ewm(alpha=alpha, adjust=False).mean().to_numpy()
    return averages


def ema_weight(period: float) -> float:
    """Return the weight of the newest value in an EMA of `period`."""
    return 2 / (period + 1)


def _sma(closes: Floats, params: Parameters) -> tuple[Floats, ...]:
    return (sma(closes, int(params["period"])),)


def _ema(closes: Floats, params: Parameters) -> tuple[Floats, ...]:
    return (ema(closes, int(params["period"])),)


SMA = Indicator(
    key="sma",
    title="Simple moving average",
    parameters=(Parameter("period", "Period", 20, 1, 500),),
    outputs=("sma",),
    pane=PRICE_PANE,
    formula=_sma,
    settled=lambda params: int(params["period"]) - 1,
)

EMA = Indicator(
    key="ema",
    title="Exponential moving average",
    parameters=(Parameter("period", "Period", 20, 1, 500),),
    outputs=("ema",),
    pane=PRICE_PANE,
    formula=_ema,
    settled=lambda params: int(params["period"]) + forgetting(ema_weight(params["period"])),
)
