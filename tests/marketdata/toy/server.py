"""The toy exchange: a trade of every pair each second, told in lines of words over one socket.

client: + trades TEA-EUR            server: ok trades TEA-EUR
                                    trade TEA-EUR 17 1767614417003 100.3 2.4 buy
                                    minute TEA-EUR 1767614400000 100.0 101.2 100.0 101.2 90 - no
client: - trades TEA-EUR
client: tell trades TEA-EUR 17      server: trades before 17, oldest first, then: end
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

START_MS = 1_767_614_400_000
PAIRS = ("TEA-EUR", "JAM-EUR")
PAGE = 50


class ToyExchange:
    """Its clock runs `speed` times as fast as this machine's; `skipped` trades are never pushed."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.url = ""
        self.skipped: set[int] = set()
        self.connections = 0
        self._began_s = time.monotonic()

    @property
    def now_ms(self) -> int:
        return START_MS + int((time.monotonic() - self._began_s) * self.speed * 1000)

    @property
    def last_id(self) -> int:
        """One trade a second: ids are seconds."""
        return (self.now_ms - START_MS) // 1000

    def minute(self, pair: str, open_ms: int, *, last_id: int) -> str:
        """Return the line of a minute with the trades made so far."""
        first = max(1, (open_ms - START_MS) // 1000)
        ids = range(first, min(last_id, (open_ms - START_MS) // 1000 + 59) + 1)
        prices = [price(trade_id) for trade_id in ids]
        volume = sum((size(trade_id) for trade_id in ids), Decimal(0))
        is_done = "yes" if last_id >= (open_ms - START_MS) // 1000 + 60 else "no"
        figures = (prices[0], max(prices), min(prices), prices[-1], volume, "-", is_done)
        return " ".join(map(str, ("minute", pair, open_ms, *figures)))

    async def answer(self, connection: ServerConnection) -> None:
        self.connections += 1
        wanted: set[tuple[str, str]] = set()
        pushing = asyncio.create_task(self._push(connection, wanted))
        with contextlib.suppress(ConnectionClosed):
            async for line in connection:
                for reply in self._reply(str(line).split(), wanted):
                    await connection.send(reply)
        pushing.cancel()
        await asyncio.gather(pushing, return_exceptions=True)

    def _reply(self, words: list[str], wanted: set[tuple[str, str]]) -> Iterator[str]:
        match words:
            case ["+", name, pair]:
                wanted.add((name, pair))
                yield f"ok {name} {pair}"
            case ["-", name, pair]:
                wanted.discard((name, pair))
            case ["tell", "time"]:
                yield f"time {self.now_ms}"
                yield "end"
            case ["tell", "pairs"]:
                yield from (f"pair {pair}" for pair in PAIRS)
                yield "end"
            case ["tell", "trades", pair, before]:
                newest = min(self.last_id, int(before) - 1)
                yield from (trade(pair, one) for one in range(max(1, newest - PAGE), newest + 1))
                yield "end"
            case ["tell", "minutes", pair, before]:
                end_ms = min(int(before), self.now_ms // 60_000 * 60_000)
                for open_ms in range(max(START_MS, end_ms - PAGE * 60_000), end_ms, 60_000):
                    yield self.minute(pair, open_ms, last_id=self.last_id)
                yield "end"

    async def _push(self, connection: ServerConnection, wanted: set[tuple[str, str]]) -> None:
        told = self.last_id
        while True:
            await asyncio.sleep(0.01)
            for trade_id in range(told + 1, self.last_id + 1):
                open_ms = (START_MS + trade_id * 1000) // 60_000 * 60_000
                for name, pair in sorted(wanted, reverse=True):
                    if name == "trades" and trade_id not in self.skipped:
                        await connection.send(trade(pair, trade_id))
                    if name == "minutes" and open_ms > START_MS and trade_id % 60 == 0:
                        line = self.minute(pair, open_ms - 60_000, last_id=trade_id)
                        await connection.send(line)
                    if name == "minutes":
                        await connection.send(self.minute(pair, open_ms, last_id=trade_id))
                told = trade_id


def price(trade_id: int) -> Decimal:
    return 100 + Decimal(trade_id * 7 % 13) / 10


def size(trade_id: int) -> Decimal:
    return 1 + Decimal(trade_id % 5) / 10


def trade(pair: str, trade_id: int) -> str:
    side = "buy" if trade_id % 2 else "sell"
    time_ms = START_MS + trade_id * 1000 + 3
    return f"trade {pair} {trade_id} {time_ms} {price(trade_id)} {size(trade_id)} {side}"


@contextlib.asynccontextmanager
async def toy_exchange(speed: float) -> AsyncIterator[ToyExchange]:
    """Run the exchange in this loop."""
    exchange = ToyExchange(speed)
    async with serve(exchange.answer, "127.0.0.1", 0, close_timeout=0.1) as server:
        exchange.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield exchange
