"""Indicators that weigh prices by what was traded."""

from __future__ import annotations

from marketdata.domain.indicators.base import HOUR_MS, PRICE_PANE, Indicator, Parameter

OBV = Indicator(
    key="obv",
    title="On-balance volume",
    short="OBV",
    parameters=(),
    inputs=("close", "volume"),
    outputs=("obv",),
    pane="obv",
    kernel="volumes.obv",
    state_size=lambda _params: 4,
    lacks=lambda _params: 0,
    # Its changes depend on one candle, its level on all there ever were.
    reaches=lambda _params, _step_ms: 1,
)

VWAP = Indicator(
    key="vwap",
    title="Volume-weighted average price",
    short="VWAP",
    parameters=(
        Parameter(
            "hours", "Session in hours", 24, 1, 168, "24: the UTC day; 168: the week from Monday."
        ),
    ),
    inputs=("open_time_ms", "high", "low", "close", "volume"),
    outputs=("vwap",),
    pane=PRICE_PANE,
    kernel="volumes.vwap",
    state_size=lambda _params: 5,
    lacks=lambda _params: 0,
    reaches=lambda params, step_ms: int(params["hours"]) * HOUR_MS // step_ms,
)
