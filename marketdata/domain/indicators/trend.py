"""Averages and the strength of a trend."""

from __future__ import annotations

from marketdata.domain.indicators.base import (
    PRICE_PANE,
    Indicator,
    Parameter,
    ema_forgetting,
    wilder_forgetting,
)

_PERIOD = Parameter("period", "Period", 20, 1, 500, "Candles that are averaged.")

SMA = Indicator(
    key="sma",
    title="Simple moving average",
    short="SMA",
    parameters=(_PERIOD,),
    inputs=("close",),
    outputs=("sma",),
    pane=PRICE_PANE,
    kernel="sliding.mean",
    state_size=lambda params: int(params["period"]) + 4,
    lacks=lambda params: int(params["period"]) - 1,
    reaches=lambda params, _step_ms: int(params["period"]) - 1,
)

EMA = Indicator(
    key="ema",
    title="Exponential moving average",
    short="EMA",
    parameters=(
        Parameter("period", "Period", 20, 1, 500, "The newest close weighs 2 / (period + 1)."),
    ),
    inputs=("close",),
    outputs=("ema",),
    pane=PRICE_PANE,
    kernel="smoothing.ema",
    state_size=lambda _params: 3,
    lacks=lambda params: int(params["period"]) - 1,
    reaches=lambda params, _step_ms: ema_forgetting(params["period"]),
)

WMA = Indicator(
    key="wma",
    title="Weighted moving average",
    short="WMA",
    parameters=(_PERIOD,),
    inputs=("close",),
    outputs=("wma",),
    pane=PRICE_PANE,
    kernel="sliding.weighted_mean",
    state_size=lambda params: int(params["period"]) + 5,
    lacks=lambda params: int(params["period"]) - 1,
    reaches=lambda params, _step_ms: int(params["period"]) - 1,
)

ADX = Indicator(
    key="adx",
    title="Average directional index",
    short="ADX",
    parameters=(
        Parameter("period", "Period", 14, 2, 200, "Wilder's period of every average in it."),
    ),
    inputs=("high", "low", "close"),
    outputs=("adx", "plus_di", "minus_di"),
    pane="adx",
    kernel="ranges.adx",
    state_size=lambda _params: 9,
    lacks=lambda params: 2 * int(params["period"]) - 1,
    reaches=lambda params, _step_ms: 2 * wilder_forgetting(params["period"]),
)
