"""What a frame of OKX can say."""

from __future__ import annotations

import math
from dataclasses import dataclass

from marketdata.domain.records import Ticker

TradeRow = tuple[int, int, float, float, int, int]
"""trade_id, time_ms, price, size, side, count: a row of TRADE_DTYPE."""


@dataclass(frozen=True, slots=True)
class TradesPush:
    channel: str
    symbol: str
    rows: tuple[TradeRow, ...]


@dataclass(frozen=True, slots=True)
class CandlePush:
    """A running or closed candle; volume in base currency, for derivatives too.

    A quote volume that was not told is NaN.
    """

    symbol: str
    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    confirmed: bool
    quote_volume: float = math.nan


@dataclass(frozen=True, slots=True)
class CandlesPush:
    channel: str
    symbol: str
    candles: tuple[CandlePush, ...]


@dataclass(frozen=True, slots=True)
class TickersPush:
    """An instrument that never traded has no last price and is left out."""

    channel: str
    symbol: str
    tickers: tuple[Ticker, ...]


@dataclass(frozen=True, slots=True)
class OtherPush:
    """Data of a channel that is at most kept as it came, such as books."""

    channel: str
    symbol: str


@dataclass(frozen=True, slots=True)
class Ack:
    """`event` is subscribe or unsubscribe."""

    event: str
    channel: str
    symbol: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error event. Channel and symbol are empty when the message does not name them."""

    code: str
    message: str
    channel: str
    symbol: str


@dataclass(frozen=True, slots=True)
class Notice:
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class OtherEvent:
    """An event that needs no answer: login, channel-conn-count, whatever comes next."""

    event: str


@dataclass(frozen=True, slots=True)
class Pong:
    pass


@dataclass(frozen=True, slots=True)
class Unreadable:
    reason: str


Message = (
    TradesPush
    | CandlesPush
    | TickersPush
    | OtherPush
    | Ack
    | Refusal
    | Notice
    | OtherEvent
    | Pong
    | Unreadable
)
