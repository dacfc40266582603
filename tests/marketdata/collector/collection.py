"""A collector at work on a simulated exchange, and the exchange's own truth to hold it against."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from marketdata.collector.okx.collector import OKXCollector
from marketdata.collector.okx.constants import Endpoints
from marketdata.collector.okx.rest import OKXHistory
from marketdata.collector.settings import CollectorSettings
from marketdata.domain.records import InstrumentSpec, Source, Trades
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.simulator.exchange import SimulatedExchange
from marketdata.simulator.faults import Fault, FaultKind
from tests.marketdata.collector.memory import MemorySink, Screen
from tests.patience import PATIENCE_S, becomes
from tests.simulated_exchange import reaches

QUICK = CollectorSettings(
    tick_ms=50,
    watch_s=0.1,
    first_trade_s=0.2,
    channel_silence_s=1.5,
    backoff_base_s=0.02,
    backoff_cap_s=0.2,
    overlap_s=0.2,
    refused_retry_s=0.5,
    # Longer than a machine stands still: quick only in tests about them.
    ping_after_s=60.0,
    pong_within_s=60.0,
    ack_within_s=60.0,
    candle_silence_s=600.0,
    give_up_quiet_s=60.0,
    give_up_s=120.0,
)


class NoLimits:
    async def acquire(self, endpoint: str) -> None:
        return None


def endpoints(exchange: SimulatedExchange) -> Endpoints:
    socket = exchange.websocket_url
    return Endpoints(exchange.rest_url, f"{socket}/public", f"{socket}/business")


def history(exchange: SimulatedExchange) -> OKXHistory:
    return OKXHistory(endpoints(exchange), NoLimits(), backoff_base_s=0.02, backoff_cap_s=0.2)


async def specs(exchange: SimulatedExchange, *symbols: str) -> list[InstrumentSpec]:
    async with history(exchange) as rest:
        infos = [*await rest.instruments("spot"), *await rest.instruments("swap")]
    listed = {info.symbol: info for info in infos}
    chosen = [listed[symbol] for symbol in symbols]
    return [
        InstrumentSpec(info.symbol, info.tick_size, info.lot_size, info.contract_value)
        for info in chosen
    ]


@dataclass(slots=True)
class Collection:
    """One collector that runs, what it stored and what it showed."""

    exchange: SimulatedExchange
    collector: OKXCollector
    sink: MemorySink
    screen: Screen
    stop: asyncio.Event
    running: asyncio.Task[None]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds; fail with the collector's health when it never does."""

        def holds() -> bool:
            if condition():
                return True
            if self.running.done():
                self.running.result()
            return False

        await becomes(holds, self.collector.health)

    async def closes(self, minutes: int, symbol: str = "BTC-USDT") -> None:
        """Wait until `minutes` more candles of `symbol` are stored."""
        candles = self.sink.books[symbol].candles
        wanted = len(candles) + minutes
        await self.until(lambda: len(candles) >= wanted)

    async def opened_holes(self, number: int, symbol: str = "BTC-USDT") -> None:
        await self.until(lambda: len(self.sink.books[symbol].opened) >= number)

    def fault(self, kind: str, **values: Any) -> None:
        self.exchange.faults.add([Fault(kind=FaultKind(kind), **values)])

    async def end(self) -> None:
        self.stop.set()
        await asyncio.wait_for(self.running, PATIENCE_S)


@contextlib.asynccontextmanager
async def collecting(
    exchange: SimulatedExchange,
    *symbols: str,
    sink: MemorySink | None = None,
    **changed: Any,
) -> AsyncIterator[Collection]:
    """Collect `symbols` (BTC-USDT unless named) until the block ends."""
    instruments = await specs(exchange, *(symbols or ("BTC-USDT",)))
    sink, screen, stop = sink or MemorySink(instruments), Screen(), asyncio.Event()
    rest = history(exchange)
    collector = OKXCollector(
        instruments=instruments,
        sink=sink,
        publisher=screen,
        endpoints=endpoints(exchange),
        history=rest,
        settings=replace(QUICK, **changed),
    )
    running = asyncio.create_task(collector.run(stop))
    try:
        yield Collection(exchange, collector, sink, screen, stop, running)
    finally:
        stop.set()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(running, PATIENCE_S)
        await rest.close()


async def exchanges_own_trades(rest: OKXHistory, symbol: str, first: int, last: int) -> Trades:
    pages, before = [], last + 1
    while before > first:
        page = await rest.trades_before(symbol, before)
        pages.append(page)
        before = int(page["trade_id"][0])
    trades = np.concatenate(pages[::-1])
    return trades[trades["trade_id"] >= first]


CONFIRMED_AFTER_MS = 5_000


async def assert_equals_the_exchange(
    collection: Collection, symbol: str = "BTC-USDT", at_least: int = 2, *, is_merged: bool = False
) -> None:
    """Compare everything stored of `symbol` with the exchange's REST answers, to the last digit.

    Of trades that came merged the ids are compared, which each row covers `count` of.
    """
    collection.exchange.faults.clear()
    book = collection.sink.books[symbol]
    trades, candles = book.trade_array(), book.candle_array()
    assert len(candles) >= at_least, "too few candles were closed to prove anything"
    # The exchange itself calls a candle closed only some seconds after its end.
    confirmed_ms = int(candles["open_time_ms"][-1]) + MINUTE_MS + CONFIRMED_AFTER_MS
    await reaches(collection.exchange, confirmed_ms)

    async with history(collection.exchange) as rest:
        first, last = int(trades["trade_id"][0]), int(trades["trade_id"][-1])
        truth = await exchanges_own_trades(rest, symbol, first, last)
        if is_merged:
            assert (np.diff(trades["trade_id"]) == trades["count"][1:]).all(), "an id is missing"
        else:
            assert trades.tolist() == truth.tolist()
        own, before = {}, int(candles["open_time_ms"][-1]) + MINUTE_MS
        while before > candles["open_time_ms"][0]:
            page = await rest.candles_before(symbol, before)
            own.update({int(candle["open_time_ms"]): candle for candle in page})
            before = int(page["open_time_ms"][0])

    assert (np.diff(candles["open_time_ms"]) == MINUTE_MS).all(), "a minute is missing"
    columns = ["open", "high", "low", "close", "volume"]
    for candle in candles:
        published = own[int(candle["open_time_ms"])]
        assert [candle[name] for name in columns] == [published[name] for name in columns], candle
        assert candle["minutes"] == 1
        assert (candle["source"] == Source.FLAT) == (candle["volume"] == 0)
