"""Batches on their way into the store."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from marketdata.collector.complaints import Complaints
from marketdata.collector.errors import LostLease
from marketdata.collector.ports import InstrumentBatch
from marketdata.collector.settings import CollectorSettings
from marketdata.collector.writer import Writer
from marketdata.domain.events import Emission
from marketdata.domain.records import InstrumentSpec, trade_array
from tests.marketdata.collector.memory import MemorySink
from tests.patience import PATIENCE_S, becomes

pytestmark = pytest.mark.asyncio

SPECS = [
    InstrumentSpec(symbol, Decimal("0.1"), Decimal("0.01")) for symbol in ("BTC-USDT", "ETH-USDT")
]
QUICK = CollectorSettings(
    batch_trades=10, backlog_trades=20, backoff_base_s=0.001, backoff_cap_s=0.01
)


def emitted(symbol: str, first: int, last: int, exchange_ms: int = 0) -> InstrumentBatch:
    rows = [(number, 1000 * number, 10.0, 1.0, 1, 1) for number in range(first, last + 1)]
    return InstrumentBatch(symbol, Emission(trades=trade_array(rows)), exchange_ms)


class HeldSink(MemorySink):
    """Commits only while the test lets it."""

    def __init__(self) -> None:
        super().__init__(SPECS)
        self.asked, self.let = threading.Event(), threading.Event()

    def commit(self, batch):
        self.asked.set()
        assert self.let.wait(PATIENCE_S)
        super().commit(batch)


@contextlib.asynccontextmanager
async def writing(sink: MemorySink) -> AsyncIterator[Writer]:
    writer = Writer(sink, QUICK, Complaints(), lambda batch: None)
    running = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await writer.close()


async def test_what_waits_is_joined_into_one_batch_with_each_instrument_once():
    sink = HeldSink()
    async with writing(sink) as writer:
        writer.put(emitted("BTC-USDT", 1, 1))
        await becomes(sink.asked.is_set)
        writer.put(emitted("BTC-USDT", 2, 3, exchange_ms=5))
        writer.put(emitted("ETH-USDT", 1, 2, exchange_ms=6))
        writer.put(emitted("BTC-USDT", 4, 4, exchange_ms=7))
        sink.let.set()
        await writer.flushed()

    first, second = sink.batches
    assert [item.emission.trades["trade_id"].tolist() for item in first.instruments] == [[1]]
    assert [
        (item.symbol, item.exchange_ms, item.emission.trades["trade_id"].tolist())
        for item in second.instruments
    ] == [("BTC-USDT", 7, [2, 3, 4]), ("ETH-USDT", 6, [1, 2])]


async def test_a_batch_holds_about_as_many_trades_as_it_may():
    sink = HeldSink()
    async with writing(sink) as writer:
        writer.put(emitted("BTC-USDT", 1, 1))
        await becomes(sink.asked.is_set)
        for first in range(2, 30, 4):
            writer.put(emitted("BTC-USDT", first, first + 3))
        sink.let.set()
        await writer.flushed()

    sizes = [len(batch.instruments[0].emission.trades) for batch in sink.batches]
    assert sizes == [1, 12, 12, 4]


async def test_a_writer_that_is_behind_says_so_until_half_of_it_is_stored():
    sink = HeldSink()
    async with writing(sink) as writer:
        for first in (1, 11):
            writer.put(emitted("BTC-USDT", first, first + 9))
        assert not writer.is_full()
        writer.put(emitted("BTC-USDT", 21, 21))
        assert writer.is_full()
        waiting = asyncio.create_task(writer.drained())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        sink.let.set()
        await asyncio.wait_for(waiting, PATIENCE_S)

        assert writer.waiting_trades <= 11


async def test_a_store_that_is_away_gets_the_same_batch_again_until_it_takes_it():
    sink = MemorySink(SPECS)
    sink.failures = 5
    async with writing(sink) as writer:
        writer.put(emitted("BTC-USDT", 1, 3))
        await writer.flushed()

    assert sink.attempts == 6
    assert sorted(sink.books["BTC-USDT"].trades) == [1, 2, 3]
    assert len(sink.batches) == 1


async def test_a_lost_lease_is_not_tried_again():
    sink = MemorySink(SPECS)
    sink.is_lost = True
    writer = Writer(sink, QUICK, Complaints(), lambda batch: None)
    writer.put(emitted("BTC-USDT", 1, 3))

    with pytest.raises(LostLease):
        await asyncio.wait_for(writer.run(), PATIENCE_S)
    assert sink.attempts == 1
    await writer.close()


async def test_everything_touches_the_store_in_one_thread():
    sink = MemorySink(SPECS)
    async with writing(sink) as writer:
        await asyncio.gather(*(writer.call(sink.resume, "BTC-USDT") for _ in range(5)))
        writer.put(emitted("BTC-USDT", 1, 3))
        await becomes(lambda: len(sink.batches) == 1)

    assert len(sink.threads) == 1
    assert threading.get_ident() not in sink.threads
    assert sink.is_closed
