"""The channels by name: on which path each lives, what its argument names, and its feed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from marketdata.simulator.account_feed import AccountFeed
from marketdata.simulator.bars import BAR_MINUTES
from marketdata.simulator.book_feeds import BookFeed, TopFeed
from marketdata.simulator.candle_feed import CandleFeed
from marketdata.simulator.feeds import AllTradesFeed, Feed, TickerFeed, TradesFeed
from marketdata.simulator.quiet_feeds import InstrumentsFeed, StatusFeed

PATHS: Final = {
    "/ws/v5/public": "public",
    "/ws/v5/business": "business",
    "/ws/v5/private": "private",
}
VIP_CHANNELS: Final = frozenset({"books-l2-tbt", "books50-l2-tbt"})


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel: its path and the key of its argument that names the subject ("" for none)."""

    name: str
    path: str
    subject: str
    feed: Callable[[str], Feed]


def _candle(bar: str) -> Channel:
    return Channel(f"candle{bar}", "business", "instId", lambda symbol: CandleFeed(symbol, bar))


def channels(legacy_checksum: bool) -> dict[str, Channel]:
    """Return every channel this exchange offers."""
    offered = (
        Channel("trades", "public", "instId", TradesFeed),
        Channel("bbo-tbt", "public", "instId", lambda s: TopFeed(s, "bbo-tbt", 1)),
        Channel("books", "public", "instId", lambda s: BookFeed(s, legacy_checksum)),
        Channel("books5", "public", "instId", lambda s: TopFeed(s, "books5", 5)),
        Channel("tickers", "public", "instId", TickerFeed),
        Channel("instruments", "public", "instType", InstrumentsFeed),
        Channel("status", "public", "", StatusFeed),
        Channel("trades-all", "business", "instId", AllTradesFeed),
        Channel("account", "private", "", AccountFeed),
        *map(_candle, BAR_MINUTES),
    )
    return {channel.name: channel for channel in offered}
