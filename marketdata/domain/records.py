"""The records of the market: trades and candles as arrays, one instrument at a time.

An array of trades or candles always belongs to one instrument; times are UTC milliseconds. Prices
and sizes are the exchange's decimals as float64, which gives back every decimal of up to 15
significant digits unchanged. Sums are made in integers and rounded once (see `aggregation`).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

UNKNOWN: Final = -1
"""A trade count or trade id that is not known (candles that were not built from trades)."""


class Side(IntEnum):
    """The taker's side of a trade."""

    BUY = 1
    SELL = -1


class Source(IntEnum):
    """Where a candle came from."""

    TRADES = 0
    EXCHANGE = 1
    IMPORTED = 2
    FLAT = 3


TRADE_DTYPE: Final = np.dtype(
    [
        ("trade_id", np.int64),
        ("time_ms", np.int64),
        ("price", np.float64),
        # As the exchange sends it: base currency for spot, contracts for swaps.
        ("size", np.float64),
        ("side", np.int16),
        # Matches merged into this row; trade_id is the last of them. 1 for a single match.
        ("count", np.int32),
    ]
)

CANDLE_DTYPE: Final = np.dtype(
    [
        ("open_time_ms", np.int64),
        ("open", np.float64),
        ("high", np.float64),
        ("low", np.float64),
        ("close", np.float64),
        # Base currency, for swaps too.
        ("volume", np.float64),
        ("quote_volume", np.float64),
        ("trade_count", np.int64),
        ("first_trade_id", np.int64),
        ("last_trade_id", np.int64),
        # Minutes present: 1 for a whole 1m candle and 0 for one with trades missing; a higher
        # candle holds the sum over its minutes and is complete at timeframe.minutes.
        ("minutes", np.int16),
        ("source", np.int16),
        # Exchange time at which the candle was known to be closed.
        ("closed_at_ms", np.int64),
        ("revision", np.int32),
    ]
)

Trades = NDArray[np.void]
"""An array of TRADE_DTYPE, in order of trade id."""

Candles = NDArray[np.void]
"""An array of CANDLE_DTYPE, in order of open time."""


@dataclass(frozen=True, slots=True)
class InstrumentSpec:
    """What the arithmetic must know of an instrument.

    `contract_value` is the base currency in one unit of size: 1 for spot, ctVal x ctMult for a
    linear swap. `has_id_rule` says that trade ids follow each other, so that a missing one is a
    missing trade.
    """

    symbol: str
    tick_size: Decimal
    lot_size: Decimal
    contract_value: Decimal = Decimal(1)
    has_id_rule: bool = True


@dataclass(frozen=True, slots=True)
class Opening:
    """The first trade of a minute, as it was known when it arrived; never changed afterwards."""

    open_time_ms: int
    price: float
    trade_id: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class Ticker:
    """An instrument's last state. A side that is empty on the exchange is None."""

    symbol: str
    time_ms: int
    last: float
    bid: float | None
    ask: float | None
    open_24h: float
    high_24h: float
    low_24h: float
    # Base currency for spot, contracts for swaps, as the exchange sends it.
    volume_24h: float
    # Quote currency for spot, base currency for swaps.
    volume_ccy_24h: float


def trade_array(rows: list[tuple[Any, ...]]) -> Trades:
    """Return `rows` (trade_id, time_ms, price, size, side, count) as an array of trades."""
    return np.array(rows, dtype=TRADE_DTYPE)


def empty_trades() -> Trades:
    """Return an array of no trades."""
    return np.empty(0, dtype=TRADE_DTYPE)


def empty_candles() -> Candles:
    """Return an array of no candles."""
    return np.empty(0, dtype=CANDLE_DTYPE)
