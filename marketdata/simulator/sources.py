"""The market and the starting time a configuration asks for."""

from __future__ import annotations

from typing import Final

from marketdata.simulator.candle_file import CandleMarket
from marketdata.simulator.config import Config
from marketdata.simulator.gateway import Markets
from marketdata.simulator.instruments import listed
from marketdata.simulator.market import Market, SeededMarket
from marketdata.simulator.tape import TapeMarket

_LEAD_MS: Final = 5_000
_MONTH_MS: Final = 30 * 86_400_000


def markets_of(config: Config) -> Markets:
    """Return the market of a configuration: a tape's, recorded candles, or the seed's.

    Raises ValueError for a file that is wrong or has no symbol.
    """
    if config.candles is not None:
        if config.symbol is None:
            raise ValueError("recorded candles need their symbol, such as BTC-USDT")
        recorded = CandleMarket(config.candles, config.symbol)
        return Markets(recorded, recorded)
    if config.tape is None:
        live, history = (seeded(config) for _ in range(2))
        return Markets(live, history)
    if config.symbol is None:
        raise ValueError("a tape needs its symbol, such as BTC-USDT")
    tape = TapeMarket(config.tape, config.symbol)
    return Markets(tape, tape)


def seeded(config: Config) -> SeededMarket:
    return SeededMarket(config.seed, config.activity, listed(config.instruments))


def start_ms_of(config: Config, market: Market, wall_ms: int) -> int:
    """Return where a new clock starts.

    Just before a tape, after recorded candles, otherwise a month before wall time.
    """
    if config.start_ms is not None:
        return config.start_ms
    if isinstance(market, TapeMarket):
        return market.start_ms - _LEAD_MS
    if isinstance(market, CandleMarket):
        return market.after_ms
    return wall_ms - wall_ms % 60_000 - _MONTH_MS
