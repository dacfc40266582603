"""Every built-in strategy there is, and the one place where they are made."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from marketdata.domain.timeframe import Timeframe
from strategies.domain.base import BaseStrategy
from strategies.domain.builtin.bollinger_breakout import BollingerBreakout
from strategies.domain.builtin.buy_and_hold import BuyAndHold
from strategies.domain.builtin.donchian_breakout import DonchianBreakout
from strategies.domain.builtin.ema_crossover import EmaCrossover
from strategies.domain.builtin.macd import Macd
from strategies.domain.builtin.rsi import Rsi
from strategies.domain.builtin.trend_filter import TrendFilter
from strategies.domain.errors import UnknownStrategy
from strategies.domain.params import Values
from strategies.domain.spelling import did_you_mean

_ALL: Final = (
    EmaCrossover,
    Macd,
    Rsi,
    BollingerBreakout,
    DonchianBreakout,
    TrendFilter,
    BuyAndHold,
)

STRATEGIES: Final[Mapping[str, type[BaseStrategy]]] = MappingProxyType(
    {strategy.key: strategy for strategy in _ALL}
)


def find_strategy(key: str) -> type[BaseStrategy]:
    """Return the built-in strategy named `key`; raises UnknownStrategy with the nearest name."""
    try:
        return STRATEGIES[key]
    except KeyError:
        raise UnknownStrategy(
            f"there is no strategy {key!r}; {did_you_mean(key, STRATEGIES)}"
        ) from None


def create_strategy(
    key: str, params: Values | None = None, timeframe: Timeframe | str = Timeframe.M1
) -> BaseStrategy:
    """Return the built-in strategy `key` with its parameters, for candles of `timeframe`.

    Raises UnknownStrategy and InvalidParameters.
    """
    return find_strategy(key)(timeframe, params)
