"""Indicators: closed candles in, arrays of the same length out, NaN while warming up."""

from __future__ import annotations

from marketdata.domain.indicators.base import PRICE_PANE, Indicator, Parameter
from marketdata.domain.indicators.computing import (
    IndicatorState,
    advance,
    begin,
    compute,
    compute_all,
    warm,
)
from marketdata.domain.indicators.registry import INDICATORS, find_indicator, parse_indicator
from marketdata.domain.indicators.segments import LONGEST_GAP, Segment, segments

__all__ = [
    "INDICATORS",
    "LONGEST_GAP",
    "PRICE_PANE",
    "Indicator",
    "IndicatorState",
    "Parameter",
    "Segment",
    "advance",
    "begin",
    "compute",
    "compute_all",
    "find_indicator",
    "parse_indicator",
    "segments",
    "warm",
]
