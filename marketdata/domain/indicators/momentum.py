"""Oscillators: how fast, and where in its range, the price moves."""

from __future__ import annotations

from marketdata.domain.errors import InvalidIndicator
from marketdata.domain.indicators.base import (
    Indicator,
    Parameter,
    Parameters,
    ema_forgetting,
    wilder_forgetting,
)


def _refuse_slow_before_fast(params: Parameters) -> None:
    if params["fast"] >= params["slow"]:
        raise InvalidIndicator(
            f"expected fast below slow; were {params['fast']:g} and {params['slow']:g}"
        )


RSI = Indicator(
    key="rsi",
    title="Relative strength index",
    short="RSI",
    parameters=(
        Parameter("period", "Period", 14, 2, 200, "Wilder's period: a change weighs 1 / period."),
    ),
    inputs=("close",),
    outputs=("rsi",),
    pane="rsi",
    kernel="ranges.rsi",
    state_size=lambda _params: 6,
    lacks=lambda params: int(params["period"]),
    reaches=lambda params, _step_ms: wilder_forgetting(params["period"]),
)

MACD = Indicator(
    key="macd",
    title="MACD",
    short="MACD",
    parameters=(
        Parameter("fast", "Fast period", 12, 1, 200, "Period of the quick EMA, below the slow."),
        Parameter("slow", "Slow period", 26, 2, 400, "Period of the EMA that is subtracted."),
        Parameter("signal", "Signal period", 9, 1, 200, "Period of the EMA of MACD itself."),
    ),
    inputs=("close",),
    outputs=("macd", "signal", "histogram"),
    pane="macd",
    kernel="smoothing.macd",
    state_size=lambda _params: 7,
    lacks=lambda params: int(params["slow"] + params["signal"]) - 2,
    reaches=lambda params, _step_ms: (
        ema_forgetting(params["slow"]) + ema_forgetting(params["signal"])
    ),
    refuses=_refuse_slow_before_fast,
)

STOCHASTIC = Indicator(
    key="stochastic",
    title="Stochastic oscillator",
    short="Stochastic",
    parameters=(
        Parameter("period", "Period", 14, 1, 500, "Candles whose range the close is placed in."),
        Parameter("smoothing", "Smoothing", 3, 1, 100, "Candles %K is averaged over; 1: fast."),
        Parameter("signal", "Signal period", 3, 1, 100, "Candles of %K that make %D."),
    ),
    inputs=("high", "low", "close"),
    outputs=("k", "d"),
    pane="stochastic",
    kernel="windows.stochastic",
    state_size=lambda params: (
        2 * int(params["period"]) + int(params["smoothing"]) + int(params["signal"]) + 14
    ),
    lacks=lambda params: (
        int(params["period"]) + int(params["smoothing"]) + int(params["signal"]) - 3
    ),
    reaches=lambda params, _step_ms: (
        int(params["period"]) + int(params["smoothing"]) + int(params["signal"]) - 3
    ),
)

ROC = Indicator(
    key="roc",
    title="Rate of change",
    short="ROC",
    parameters=(Parameter("period", "Period", 10, 1, 500, "Candles the close is compared over."),),
    inputs=("close",),
    outputs=("roc",),
    pane="roc",
    kernel="windows.roc",
    state_size=lambda params: int(params["period"]) + 1,
    lacks=lambda params: int(params["period"]),
    reaches=lambda params, _step_ms: int(params["period"]),
)
