"""Everything it takes to collect from the toy exchange: a collector, its socket, its history."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from marketdata.collector.base import BaseCollector
from marketdata.collector.errors import ExchangeUnavailable
from marketdata.collector.feed import Channels
from marketdata.collector.ports import InstrumentInfo
from marketdata.collector.socket import SUBSCRIBE, Channel, Socket, until_first_ends
from marketdata.domain.records import CANDLE_DTYPE, Source, trade_array
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.exchanges import Exchange, Parts


class ToyCollector(BaseCollector):
    paths = {"all": ("trades", "minutes")}
    trade_channel = "trades"
    watched = {"trades": "trades", "candles": "minutes"}

    def __init__(self, url: str, parts: Parts) -> None:
        super().__init__(
            exchange=parts.exchange,
            instruments=parts.instruments,
            sink=parts.sink,
            publisher=parts.publisher,
            history=ToyHistory(url),
            settings=parts.settings,
        )
        self._url = url

    def open_socket(self, path: str, channels: Channels) -> Socket:
        return ToySocket(self._url, channels, self)

    def receive(self, socket: Socket, line: str) -> None:
        match line.split():
            case ["ok", name, pair]:
                socket.acknowledged((name, pair))
            case ["trade", pair, *words]:
                passing = partial(self.pipeline.trade, pair, trade_row(words))
                socket.deliver(("trades", pair), passing)
            case ["minute", pair, *words]:
                passing = partial(self.pipeline.candle, minute(pair, words))
                socket.deliver(("minutes", pair), passing)
            case _:
                self.complaints.add("no line of this exchange", line)


class ToySocket(Socket):
    def __init__(self, url: str, channels: Channels, collector: ToyCollector) -> None:
        super().__init__(channels, collector.settings)
        self._url, self._collector = url, collector

    async def run(self) -> None:
        try:
            async with connect(self._url, proxy=None) as self._connection:
                await until_first_ends(self._read(self._connection), self.subscribe())
        except (OSError, WebSocketException) as error:
            raise ExchangeUnavailable(str(error)) from error

    async def ask(self, wish: str, channels: Collection[Channel]) -> None:
        sign = "+" if wish == SUBSCRIBE else "-"
        for name, pair in sorted(channels):
            await self._connection.send(f"{sign} {name} {pair}")

    async def _read(self, connection: ClientConnection) -> None:
        writer = self._collector.pipeline.writer
        while True:
            line = await connection.recv(decode=True)
            self.received += 1
            self._collector.receive(self, line)
            if writer.is_full():
                await writer.drained()


class ToyHistory(contextlib.AbstractAsyncContextManager):
    def __init__(self, url: str) -> None:
        self._url = url

    async def __aexit__(self, *_: object) -> None:
        return None

    async def server_time_ms(self) -> int:
        [[_, time_ms]] = await self._ask("time")
        return int(time_ms)

    async def instruments(self, kind: str) -> list[InstrumentInfo]:
        pairs = [words[1] for words in await self._ask("pairs")] if kind == "spot" else []
        return [listed(pair) for pair in pairs]

    async def trades_before(self, symbol: str, before_id: int | None):
        lines = await self._ask("trades", symbol, before_id or 2**62)
        return trade_array([trade_row(words[2:]) for words in lines])

    async def trades_until(self, symbol: str, end_ms: int):
        trades = await self.trades_before(symbol, None)
        return trades[trades["time_ms"] < end_ms]

    async def candles_before(self, symbol: str, before_ms: int | None):
        lines = await self._ask("minutes", symbol, before_ms or 2**62)
        minutes = [minute(symbol, words[2:]) for words in lines]
        return np.array([one.row() for one in minutes if one.confirmed], dtype=CANDLE_DTYPE)

    async def _ask(self, *question: object) -> list[list[str]]:
        try:
            async with connect(self._url, proxy=None) as connection:
                await connection.send(" ".join(map(str, ("tell", *question))))
                lines = []
                while (line := await connection.recv(decode=True)) != "end":
                    lines.append(line.split())
                return lines
        except (OSError, WebSocketException) as error:
            raise ExchangeUnavailable(str(error)) from error


@dataclass(frozen=True, slots=True)
class Minute:
    symbol: str
    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float
    confirmed: bool

    def row(self) -> tuple[Any, ...]:
        figures = (self.open, self.high, self.low, self.close, self.volume, 0.0)
        closed_ms = self.open_time_ms + MINUTE_MS
        return (self.open_time_ms, *figures, -1, -1, -1, 1, Source.EXCHANGE, closed_ms, 0)


def minute(pair: str, words: list[str]) -> Minute:
    open_ms, *figures, _, is_done = words
    return Minute(pair, int(open_ms), *map(float, figures), float("nan"), is_done == "yes")


def trade_row(words: list[str]) -> tuple[Any, ...]:
    trade_id, time_ms, price, size, side = words
    return int(trade_id), int(time_ms), float(price), float(size), 1 if side == "buy" else -1, 1


def listed(pair: str) -> InstrumentInfo:
    base, quote = pair.split("-")
    tenth = Decimal("0.1")
    return InstrumentInfo(
        pair, "spot", base, quote, tenth, tenth, tenth, Decimal(1), "live", listed_ms=None
    )


def toy_entry(url: str) -> Exchange:
    """Return the line of the table of exchanges."""
    return Exchange(
        check=lambda: None,
        history=lambda: ToyHistory(url),
        collector=lambda parts: ToyCollector(url, parts),
    )
