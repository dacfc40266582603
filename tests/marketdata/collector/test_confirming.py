"""What the exchange calls closed is handed to the store, once the minute is closed here too."""

from __future__ import annotations

import math

import numpy as np
import pytest
import pytest_asyncio

from marketdata.collector.lane import CONFIRMED_LIMIT
from marketdata.collector.okx.messages import CandlePush
from marketdata.domain.checking import agrees
from marketdata.domain.records import Source
from tests.marketdata.collector.collection import collecting
from tests.marketdata.collector.test_catchup import MINUTE_MS, START_MS, working
from tests.simulated_exchange import START_MS as EXCHANGE_START_MS
from tests.simulated_exchange import running_exchange

pytestmark = pytest.mark.asyncio


def push(minute: int, volume: float = 6.0, *, confirmed: bool = True) -> CandlePush:
    open_ms = START_MS + minute * MINUTE_MS
    return CandlePush("BTC-USDT", open_ms, 101.0, 106.0, 100.0, 103.0, volume, confirmed, 600.0)


def handed_on(work) -> list[int]:
    """Return the minutes of all confirmed candles that reached the store, batch by batch."""
    batches = [item for batch in work.sink.batches for item in batch.instruments]
    confirmed = np.concatenate([item.confirmed for item in batches])
    return ((confirmed["open_time_ms"] - START_MS) // MINUTE_MS).tolist()


async def settle(work) -> None:
    work.pipeline.tick()
    await work.settled()


async def test_a_confirmation_after_our_close_reaches_the_store():
    async with working() as work:
        work.trades(*range(1, 8))
        await settle(work)
        assert handed_on(work) == []

        work.pipeline.candle(push(0))
        await settle(work)

    assert handed_on(work) == [0]
    confirmed = work.sink.batches[-1].instruments[0].confirmed
    assert confirmed.tolist() == [
        (
            *(START_MS, 101.0, 106.0, 100.0, 103.0, 6.0, 600.0),
            *(-1, -1, -1, 1, Source.EXCHANGE, START_MS + MINUTE_MS, 0),
        )
    ]


async def test_a_confirmation_before_our_close_waits_for_it():
    async with working() as work:
        work.trades(1, 2, 3)
        await work.settled()
        work.pipeline.candle(push(0, volume=9.0))
        work.pipeline.tick()
        await work.pipeline.writer.flushed()
        assert 0 not in work.candles
        assert handed_on(work) == []

        work.trades(4, 5, 6, 7)
        await settle(work)

    assert 0 in work.candles
    assert handed_on(work) == [0]


async def test_a_candle_that_is_still_running_confirms_nothing():
    async with working() as work:
        work.trades(*range(1, 8))
        work.pipeline.candle(push(0, confirmed=False))
        await settle(work)

    assert handed_on(work) == []


async def test_the_newest_confirmations_are_kept_while_a_minute_cannot_close():
    async with working() as work:
        work.trades(1)
        lane = work.pipeline.lanes["BTC-USDT"]
        for minute in range(CONFIRMED_LIMIT + 5):
            lane.confirm((START_MS + minute * MINUTE_MS,))

        kept = sorted((open_ms - START_MS) // MINUTE_MS for open_ms in lane.confirmed)
        lane.confirmed.clear()

    assert kept == list(range(5, CONFIRMED_LIMIT + 5))


@pytest_asyncio.fixture
async def exchange(tmp_path):
    start_ms = EXCHANGE_START_MS + 20_000
    async with running_exchange(tmp_path, speed=60.0, start_ms=start_ms) as exchange:
        yield exchange


@pytest.mark.slow
async def test_every_minute_of_the_simulated_exchange_is_confirmed_as_it_was_built(exchange):
    async with collecting(exchange, "BTC-USDT", "ETH-USDT-SWAP") as collection:
        await collection.closes(3)
        await collection.closes(1, "ETH-USDT-SWAP")
        await collection.until(lambda: len(confirmed_of(collection, "BTC-USDT")) >= 3)
        await collection.until(lambda: len(confirmed_of(collection, "ETH-USDT-SWAP")) >= 1)
        await collection.end()

    for symbol in ("BTC-USDT", "ETH-USDT-SWAP"):
        candles = collection.sink.books[symbol].candles
        for theirs in confirmed_of(collection, symbol):
            ours = candles.get(int(theirs["open_time_ms"]))
            if ours is not None:
                assert agrees(np.array([ours]), np.array([theirs])).all(), (ours, theirs)
                assert not math.isnan(theirs["quote_volume"])


def confirmed_of(collection, symbol):
    """Return the confirmed candles that reached the store for minutes it has."""
    items = [item for batch in collection.sink.batches for item in batch.instruments]
    parts = [item.confirmed for item in items if item.symbol == symbol]
    known = collection.sink.books[symbol].candles
    return [row for part in parts for row in part if int(row["open_time_ms"]) in known]
