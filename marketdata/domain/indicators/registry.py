"""Every indicator there is."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from marketdata.domain.errors import InvalidIndicator
from marketdata.domain.indicators.base import Indicator
from marketdata.domain.indicators.momentum import MACD, ROC, RSI, STOCHASTIC
from marketdata.domain.indicators.trend import ADX, EMA, SMA, WMA
from marketdata.domain.indicators.volatility import ATR, BOLLINGER, DEVIATION, DONCHIAN
from marketdata.domain.indicators.volume import OBV, VWAP

_OVER_THE_PRICE = (SMA, EMA, WMA, BOLLINGER, DONCHIAN, VWAP)
_IN_PANES = (RSI, MACD, STOCHASTIC, ADX, ATR, DEVIATION, ROC, OBV)

INDICATORS: Final = MappingProxyType(
    {indicator.key: indicator for indicator in (*_OVER_THE_PRICE, *_IN_PANES)}
)


def find_indicator(key: str) -> Indicator:
    """Return the indicator named `key`; raises InvalidIndicator, listing the choices."""
    try:
        return INDICATORS[key]
    except KeyError:
        choices = ", ".join(INDICATORS)
        raise InvalidIndicator(f"expected one of {choices}; was {key!r}") from None


def parse_indicator(text: str) -> tuple[Indicator, dict[str, float]]:
    """Return the indicator and parameters that a text such as "rsi:14" or "macd:12:26:9" names.

    What is left out has its default. Raises InvalidIndicator for anything else.
    """
    key, *values = text.strip().split(":")
    indicator = find_indicator(key)
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        raise InvalidIndicator(f"expected numbers after {key}:; was {text!r}") from None
    return indicator, indicator.positional(numbers)
