"""The market and the starting time a configuration asks for."""

from __future__ import annotations

from typing import Final

from marketdata.simulator.config import Config
from marketdata.simulator.gateway import Markets
from marketdata.simulator.market import Market, SeededMarket

_LEAD_MS: Final = 5_000
_MONTH_MS: Final = 30 * 86_400_000


def markets_of(config: Config) -> Markets:
    """Return the market of a configuration, twice."""
    return Markets(*(SeededMarket(config.seed, config.activity) for _ in range(2)))


def start_ms_of(config: Config, market: Market, wall_ms: int) -> int:
    """Return where a new clock starts."""
    if config.start_ms is not None:
        return config.start_ms
    return wall_ms - wall_ms % 60_000 - _MONTH_MS
