"""Every indicator there is."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from marketdata.domain.errors import InvalidIndicator
from marketdata.domain.indicators.base import Indicator
from marketdata.domain.indicators.momentum import MACD, RSI
from marketdata.domain.indicators.trend import EMA, SMA
from marketdata.domain.indicators.volatility import BOLLINGER

INDICATORS: Final = MappingProxyType(
    {indicator.key: indicator for indicator in (SMA, EMA, BOLLINGER, RSI, MACD)}
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
