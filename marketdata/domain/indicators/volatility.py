"""How far prices move: bands, channels and ranges."""

from __future__ import annotations

from marketdata.domain.indicators.base import (
    PRICE_PANE,
    Indicator,
    Parameter,
    wilder_forgetting,
)

BOLLINGER = Indicator(
    key="bollinger",
    title="Bollinger bands",
    short="Bollinger",
    parameters=(
        Parameter("period", "Period", 20, 2, 500, "Candles of average and deviation."),
        Parameter(
            "deviations", "Standard deviations", 2.0, 0.1, 10.0, "Distance from middle to bands."
        ),
    ),
    inputs=("close",),
    outputs=("middle", "upper", "lower"),
    pane=PRICE_PANE,
    kernel="windows.bollinger",
    state_size=lambda params: 2 * int(params["period"]) + 6,
    lacks=lambda params: int(params["period"]) - 1,
    reaches=lambda params, _step_ms: int(params["period"]) - 1,
)

DONCHIAN = Indicator(
    key="donchian",
    title="Donchian channel",
    short="Donchian",
    parameters=(
        Parameter("period", "Period", 20, 1, 500, "Candles of the channel, the newest included."),
    ),
    inputs=("high", "low"),
    outputs=("upper", "middle", "lower"),
    pane=PRICE_PANE,
    kernel="windows.donchian",
    state_size=lambda params: 2 * int(params["period"]) + 6,
    lacks=lambda params: int(params["period"]) - 1,
    reaches=lambda params, _step_ms: int(params["period"]) - 1,
)

ATR = Indicator(
    key="atr",
    title="Average true range",
    short="ATR",
    parameters=(
        Parameter("period", "Period", 14, 1, 200, "Wilder's period: a range weighs 1 / period."),
    ),
    inputs=("high", "low", "close"),
    outputs=("atr",),
    pane="atr",
    kernel="ranges.atr",
    state_size=lambda _params: 4,
    lacks=lambda params: int(params["period"]),
    reaches=lambda params, _step_ms: wilder_forgetting(params["period"]),
)

DEVIATION = Indicator(
    key="deviation",
    title="Standard deviation",
    short="Deviation",
    parameters=(
        Parameter("period", "Period", 20, 2, 500, "Candles of the window."),
        Parameter("ddof", "Sample (1) or population (0)", 0, 0, 1, "Divides by period - ddof."),
    ),
    inputs=("close",),
    outputs=("deviation",),
    pane="deviation",
    kernel="windows.deviation",
    state_size=lambda params: 2 * int(params["period"]) + 6,
    lacks=lambda params: int(params["period"]) - 1,
    reaches=lambda params, _step_ms: int(params["period"]) - 1,
)
