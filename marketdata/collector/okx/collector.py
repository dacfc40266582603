"""Collects from OKX v5, or from anything that speaks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import structlog

from marketdata.collector.base import BaseCollector
from marketdata.collector.errors import CollectorError
from marketdata.collector.feed import Channels
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
    TRADES,
    TRADES_ALL,
    Endpoints,
)
from marketdata.collector.okx.keeping import keep, keep_announced
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
from marketdata.collector.okx.private import Login, PrivateSocket
from marketdata.collector.okx.rest import OKXHistory, shared_limiter, tls_context
from marketdata.collector.okx.websocket import OKXSocket
from marketdata.collector.ports import Credential, History, Limiter, Publisher, Recorder, Sink
from marketdata.collector.recording import Tap
from marketdata.collector.settings import CollectorSettings
from marketdata.collector.socket import SUBSCRIBE, Channel
from marketdata.domain.raw import RawChannel
from marketdata.domain.records import InstrumentSpec

PUBLIC: Final = "public"
BUSINESS: Final = "business"
PRIVATE: Final = "private"

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Push = TradesPush | CandlesPush | TickersPush | OtherPush


class OKXCollector(BaseCollector):
    """Tickers from the public socket; every trade and 1m candle pushes from the business socket.

    An instrument of which trades-all is refused has trades from the public socket, where matches of
    one price are merged, until trades-all is taken.
    `raw_every_s` are the messages that go to `recorder` as they came. With a `credential` a third
    socket brings the account's balances.
    `history` defaults to REST at `endpoints` within `limiter`, by default that of this process.
    """

    trade_channel = TRADES_ALL
    trade_stand_in = TRADES
    watched = {"trades": TRADES_ALL, "candles": CANDLE_1M, "tickers": TICKERS, "books": BOOKS5}

    def __init__(
        self,
        *,
        instruments: Sequence[InstrumentSpec],
        sink: Sink,
        publisher: Publisher,
        endpoints: Endpoints = PRODUCTION,
        exchange: str = "okx",
        history: History | None = None,
        limiter: Limiter | None = None,
        settings: CollectorSettings | None = None,
        recorder: Recorder | None = None,
        raw_every_s: Mapping[RawChannel, float] | None = None,
        credential: Credential | None = None,
    ) -> None:
        self._own_history = OKXHistory(endpoints, limiter) if history is None else None
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
        self._endpoints, self._limiter = endpoints, limiter or shared_limiter(endpoints)
        self._login = Login(credential) if credential is not None else None
        self.paths, self.common = self._channels()
        self._urls = {
            PUBLIC: endpoints.public,
            BUSINESS: endpoints.business,
            PRIVATE: endpoints.private,
        }
        self._tls = tls_context(endpoints)

    def open_socket(self, path: str, channels: Channels) -> OKXSocket:
        """Return a new socket of a kind; the private one logs in first."""
        login = (self._login,) if path == PRIVATE else ()
        kind: Any = PrivateSocket if login else OKXSocket
        socket: OKXSocket = kind(
            *login,
            self._urls[path],
            channels,
            self._receive,
            is_full=self.pipeline.writer.is_full,
            drained=self.pipeline.writer.drained,
            settings=self.settings,
            tls=self._tls,
            limiter=self._limiter,
        )
        return socket

    def health(self) -> dict[str, Any]:
        """Return what every collector tells, and why the exchange refuses the credential."""
        refusal = "" if self._login is None else self._login.refusal
        return {**super().health(), "login_refused": refusal}

    async def opening(self) -> None:
        """Keep what is announced of maintenance: the socket tells of changes only."""
        if not self._tap.keeps(RawChannel.STATUS):
            return
        try:
            async with OKXHistory(self._endpoints, self._limiter) as rest:
                announced = await rest.announcements()
        except CollectorError as error:
            self.complaints.last_error = f"announcements: {error}"
            log.warning("announcements unavailable", exchange=self.exchange, error=str(error))
            return
        for row in announced:
            if not keep_announced(self._tap, row):
                self.complaints.add("bad values", row)

    async def closing(self) -> None:
        """Close REST if it is this collector's own."""
        if self._own_history is not None:
            await self._own_history.close()

    def _channels(self) -> tuple[dict[str, tuple[str, ...]], dict[str, set[Channel]]]:
        """Return each socket's channels of an instrument and those of none.

        What is only kept as it came is among them where it is.
        """
        kept = self._tap.keeps
        books = (BOOKS5,) if kept(RawChannel.BOOKS) else ()
        common: dict[str, set[Channel]] = {PUBLIC: set()}
        if kept(RawChannel.STATUS):
            common[PUBLIC].add((STATUS, ""))
        if kept(RawChannel.INSTRUMENTS):
            common[PUBLIC] |= {(INSTRUMENTS, kind) for kind in INSTRUMENT_KINDS}
        if self._login is not None and kept(RawChannel.BALANCES):
            common[PRIVATE] = {(ACCOUNT, "")}
        return {PUBLIC: (TICKERS, *books), BUSINESS: (TRADES_ALL, CANDLE_1M)}, common

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
                passing = partial(self._push, said, message)
                socket.deliver((said.channel, said.symbol), passing)
            case Ack(event, channel, symbol) if event == SUBSCRIBE:
                socket.acknowledged((channel, symbol))
                if channel == TRADES_ALL:
                    self._feeds.remove((TRADES, symbol))
            case Refusal():
                is_ours = socket.refuse((said.channel, said.symbol), said.code)
                if is_ours and said.channel == TRADES_ALL:
                    self._feeds.add(PUBLIC, (TRADES, said.symbol))
                told = "" if isinstance(socket, PrivateSocket) else said.message
                self.complaints.add("refused by the exchange", told, code=said.code)
            case Notice(code) if code == SERVICE_UPGRADE:
                socket.notified(said)
            case Unreadable(reason):
                self.complaints.add(reason, message)

    def _push(self, push: Push, message: bytes) -> None:
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
            case OtherPush(channel, symbol) if channel == BOOKS5 and symbol in self.pipeline.lanes:
                self.pipeline.lanes[symbol].activity.books += 1
        if not keep(self._tap, push, message):
            self.complaints.add("bad values", message)
