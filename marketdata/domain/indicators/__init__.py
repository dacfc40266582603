"""Indicators: float64 closes in, arrays of the same length out, NaN while warming up."""

from __future__ import annotations

from marketdata.domain.indicators.base import PRICE_PANE, Indicator, Parameter
from marketdata.domain.indicators.registry import INDICATORS, find_indicator, parse_indicator

__all__ = [
    "INDICATORS",
    "PRICE_PANE",
    "Indicator",
    "Parameter",
    "find_indicator",
    "parse_indicator",
]
