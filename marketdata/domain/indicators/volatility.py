"""Bands around an average."""

from __future__ import annotations

import numpy as np

from marketdata.domain.indicators.base import (
    PRICE_PANE,
    Floats,
    Indicator,
    Parameter,
    Parameters,
    undefined,
)
from marketdata.domain.indicators.trend import sma


def bollinger(closes: Floats, period: int, deviations: float) -> tuple[Floats, Floats, Floats]:
    """Return the middle, upper and lower Bollinger band.

    The middle is the simple average of the last `period` closes, the others lie `deviations`
    population standard deviations (ddof 0, as John Bollinger defines them and TA-Lib computes
    them) above and below it. NaN before index period - 1.
    """
    middle = sma(closes, period)
    width = deviations * _deviation(closes, middle, period)
    return middle, middle + width, middle - width


def _deviation(values: Floats, mean: Floats, period: int) -> Floats:
    """Return the standard deviation of each window around its own mean, in two passes.

    The one-pass form (mean of squares less square of mean) loses half the digits of a price.
    """
    deviation = undefined(values)
    length = len(values) - period + 1
    if length > 0:
        squares = np.zeros(length)
        for offset in range(period):
            squares += (values[offset : offset + length] - mean[period - 1 :]) ** 2
        deviation[period - 1 :] = np.sqrt(squares / period)
    return deviation


def _bollinger(closes: Floats, params: Parameters) -> tuple[Floats, ...]:
    return bollinger(closes, int(params["period"]), params["deviations"])


BOLLINGER = Indicator(
    key="bollinger",
    title="Bollinger bands",
    parameters=(
        Parameter("period", "Period", 20, 2, 500),
        Parameter("deviations", "Standard deviations", 2.0, 0.1, 10.0),
    ),
    outputs=("middle", "upper", "lower"),
    pane=PRICE_PANE,
    formula=_bollinger,
    settled=lambda params: int(params["period"]) - 1,
)
