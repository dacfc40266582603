"""Collects from OKX v5, or from anything that speaks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from marketdata.collector.base import BaseCollector
from marketdata.collector.okx.constants import (
    ACCOUNT,
    BOOKS5,
    CANDLE_1M,
    INSTRUMENT_KINDS,
    INSTRUMENTS,
    PRODUCTION,
    SERVICE_UPGRADE,
    STATUS,
    TICKERS,
    TRADES_ALL,
    Endpoints,
)
from marketdata.collector.okx.keeping import keep
from marketdata.collector.okx.messages import (
    Ack,
    CandlesPush,
    Message,
    Notice,
    OtherEvent,
    OtherPush,
    Refusal,
    TickersPush,
    TradesPush,
    Unreadable,
)
from marketdata.collector.okx.parsing import TRADES_PREFIX, UNDECODABLE, decode_trades, parse
from marketdata.collector.okx.private import PrivateSocket
from marketdata.collector.okx.rest import OKXHistory, tls_context
from marketdata.collector.okx.websocket import Channel, OKXSocket
from marketdata.collector.ports import Credential, History, Publisher, Recorder, Sink
from marketdata.collector.recording import Tap
from marketdata.collector.settings import CollectorSettings
from marketdata.collector.watchdog import InstrumentWatch
from marketdata.domain.raw import RawChannel
from marketdata.domain.records import InstrumentSpec

PUBLIC: Final = "public"
BUSINESS: Final = "business"
PRIVATE: Final = "private"

_CHANNELS: Final = {PUBLIC: (TICKERS,), BUSINESS: (TRADES_ALL, CANDLE_1M)}
_FEED_AND_CHANNEL: Final = {
    "trades": (BUSINESS, TRADES_ALL),
    "candles": (BUSINESS, CANDLE_1M),
    "tickers": (PUBLIC, TICKERS),
}

Push = TradesPush | CandlesPush | TickersPush | OtherPush


class OKXCollector(BaseCollector):
    """Tickers from the public socket; every trade and 1m candle pushes from the business socket.

    `raw_every_s` are the messages that go to `recorder` as they came. With a `credential` a third
    socket brings the account's balances.
    `history` defaults to REST at `endpoints`, within the limits of this process.
    """

    feed_names = (PUBLIC, BUSINESS)
    trade_feed = BUSINESS

    def __init__(
        self,
        *,
        instruments: Sequence[InstrumentSpec],
        sink: Sink,
        publisher: Publisher,
        endpoints: Endpoints = PRODUCTION,
        exchange: str = "okx",
        history: History | None = None,
        settings: CollectorSettings | None = None,
        recorder: Recorder | None = None,
        raw_every_s: Mapping[RawChannel, float] | None = None,
        credential: Credential | None = None,
    ) -> None:
        self._own_history = OKXHistory(endpoints) if history is None else None
        super().__init__(
            exchange=exchange,
            instruments=instruments,
            sink=sink,
            publisher=publisher,
            history=history or self._own_history,  # type: ignore[arg-type]
            settings=settings,
            recorder=recorder,
        )
        self._tap = Tap(self.recorder, raw_every_s or {}, self.pipeline.clock, self.complaints)
        self._credential = credential
        if credential is not None and self._tap.keeps(RawChannel.BALANCES):
            self.feeds[PRIVATE] = self._feed(PRIVATE)
        self._urls = {
            PUBLIC: endpoints.public,
            BUSINESS: endpoints.business,
            PRIVATE: endpoints.private,
        }
        self._tls = tls_context(endpoints)
        self._messages_before = 0
        self._sockets: dict[str, OKXSocket] = {}
        self._watches = {
            spec.symbol: InstrumentWatch(
                self.settings.channel_silence_s, self.settings.candle_silence_s
            )
            for spec in self.instruments
        }
        self._ages: dict[str, dict[str, float | None]] = {}

    def open_socket(self, feed: str) -> OKXSocket:
        """Return a new socket with the feed's channels of all instruments."""
        socket = self._new_socket(feed)
        if feed in self._sockets:
            self._messages_before += self._sockets[feed].received
        self._sockets[feed] = socket
        return socket

    def brings_trades(self, symbol: str) -> bool:
        """Return whether the exchange took the subscription to an instrument's trades."""
        return (TRADES_ALL, symbol) not in self._refused()

    def dead_channels(self, now_s: float) -> dict[str, str]:
        """Return the feeds with a channel that is silent against the evidence."""
        dead: dict[str, str] = {}
        refused = self._refused()
        for symbol, watch in self._watches.items():
            for kind in watch.dead(self.pipeline.lanes[symbol].activity, now_s):
                feed, channel = _FEED_AND_CHANNEL[kind]
                if (channel, symbol) not in refused:
                    dead[feed] = f"{channel} {symbol}"
            self._ages[symbol] = watch.ages_s(now_s)
        return dead

    def health(self) -> dict[str, Any]:
        """Return counters and ages as plain JSON values; may be called from another thread."""
        refused = {
            f"{channel} {symbol}": code for (channel, symbol), code in self._refused().items()
        }
        return super().health() | {
            "messages": self._messages_before
            + sum(socket.received for socket in list(self._sockets.values())),
            "channel_age_s": dict(self._ages),
            "refused": refused,
        }

    async def closing(self) -> None:
        """Close REST if it is this collector's own."""
        if self._own_history is not None:
            await self._own_history.close()

    def _new_socket(self, feed: str) -> OKXSocket:
        login = (self._credential,) if feed == PRIVATE else ()
        kind: Any = PrivateSocket if login else OKXSocket
        socket: OKXSocket = kind(
            *login,
            self._urls[feed],
            self._channels(feed),
            self._receive,
            is_full=self.pipeline.writer.is_full,
            drained=self.pipeline.writer.drained,
            settings=self.settings,
            tls=self._tls,
        )
        return socket

    def _channels(self, feed: str) -> set[Channel]:
        """Return what a feed subscribes; what is only kept as it came is among it where it is."""
        if feed == PRIVATE:
            return {(ACCOUNT, "")}
        names, kept = _CHANNELS[feed], self._tap.keeps
        if feed == PUBLIC and kept(RawChannel.BOOKS):
            names += (BOOKS5,)
        channels = {(name, spec.symbol) for name in names for spec in self.instruments}
        if feed == PUBLIC and kept(RawChannel.STATUS):
            channels.add((STATUS, ""))
        if feed == PUBLIC and kept(RawChannel.INSTRUMENTS):
            channels |= {(INSTRUMENTS, kind) for kind in INSTRUMENT_KINDS}
        return channels

    def _receive(self, socket: OKXSocket, message: bytes) -> None:
        """Take one frame. Runs for every trade: the first branch is all that most of them see."""
        if not message.startswith(TRADES_PREFIX) or not socket.is_ready:
            self._take(socket, parse(message), message)
            return
        try:
            trades = decode_trades(message).data
        except UNDECODABLE:
            self.complaints.add("bad values", message)
            return
        for trade in trades:
            self.pipeline.trade(trade.instId, trade.row)

    def _take(self, socket: OKXSocket, said: Message, message: bytes) -> None:
        """Take one frame of any kind. The sockets' own events end with them."""
        if isinstance(socket, PrivateSocket) and isinstance(said, (OtherEvent, Refusal)):
            socket.take(said)
        match said:
            case TradesPush() | CandlesPush() | TickersPush() | OtherPush():
                self._push(socket, said)
                if not keep(self._tap, said, message):
                    self.complaints.add("bad values", message)
            case Ack():
                socket.acknowledged(said)
            case Refusal():
                socket.refuse(said)
                self.complaints.add("refused by the exchange", said.message, code=said.code)
            case Notice(code) if code == SERVICE_UPGRADE:
                socket.notified(said)
            case Unreadable(reason):
                self.complaints.add(reason, message)

    def _push(self, socket: OKXSocket, push: Push) -> None:
        socket.delivered((push.channel, push.symbol))
        match push:
            case TradesPush():
                for row in push.rows:
                    self.pipeline.trade(push.symbol, row)
            case CandlesPush():
                for candle in push.candles:
                    self.pipeline.candle(candle)
            case TickersPush():
                for ticker in push.tickers:
                    self.pipeline.ticker(ticker)

    def _refused(self) -> dict[Channel, str]:
        return {
            channel: code
            for socket in self._sockets.values()
            for channel, code in socket.refused.items()
        }
