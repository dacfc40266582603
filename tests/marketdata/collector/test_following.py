"""Instruments come and go, channels stall and connections are announced to end: without a hole."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
import pytest_asyncio

from marketdata.domain.events import HoleCause
from marketdata.domain.records import CANDLE_DTYPE
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from tests.marketdata.collector.collection import (
    assert_equals_the_exchange,
    collecting,
    specs,
)
from tests.marketdata.collector.memory import Book
from tests.simulated_exchange import START_MS, reaches, running_exchange

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

FIVE = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "BTC-USDT-SWAP")


@pytest_asyncio.fixture
async def exchange(tmp_path):
    async with running_exchange(tmp_path, speed=60.0, start_ms=START_MS + 20_000) as exchange:
        yield exchange


async def joined(collection, *symbols):
    """Let the store know `symbols` and return their specifications."""
    new = await specs(collection.exchange, *symbols)
    for spec in new:
        collection.sink.books.setdefault(spec.symbol, Book(spec))
    return new


def holes(collection, symbol):
    """Return what was missed; at its first start an instrument lacks the minute's beginning."""
    opened = collection.sink.books[symbol].opened
    return [hole for hole in opened if hole.cause is not HoleCause.START]


def connections(collection):
    return {name: feed.connections for name, feed in collection.collector.feeds.items()}


async def test_a_sixth_instrument_is_collected_without_a_new_connection(exchange):
    async with collecting(exchange, *FIVE) as collection:
        await collection.closes(1)
        before = connections(collection)
        present = list(collection.collector.instruments)
        new = await joined(collection, "ETH-USDT-SWAP")
        await collection.collector.follow([*present, *new])
        assert connections(collection) == before
        await collection.closes(3, "ETH-USDT-SWAP")
        await collection.closes(1, "BTC-USDT")
        assert connections(collection) == before
        await collection.end()

    for symbol in ("BTC-USDT", "XRP-USDT"):
        assert holes(collection, symbol) == []
        await assert_equals_the_exchange(collection, symbol)
    await assert_equals_the_exchange(collection, "ETH-USDT-SWAP", 3)
    assert collection.collector.health()["bad"] == 0


async def test_the_forming_candles_of_an_instrument_that_joined_count_its_stored_minutes(exchange):
    async with collecting(exchange, "BTC-USDT", "ETH-USDT") as first:
        await first.closes(3, "ETH-USDT")
        await first.end()
    async with collecting(exchange, "BTC-USDT", sink=first.sink) as second:
        await second.closes(1)
        await second.collector.follow(
            [*second.collector.instruments, *await specs(exchange, "ETH-USDT")]
        )
        await second.closes(1, "ETH-USDT")
        await second.until(lambda: "ETH-USDT" in second.screen.shown)
        lane = second.collector.pipeline.lanes["ETH-USDT"]
        forming = lane.forming.current(lane.stream.forming)[Timeframe.D1]
        stored = second.sink.books["ETH-USDT"].candle_array()
        assert forming["volume"] >= stored["volume"].sum() > 0
        assert forming["open"] == stored["open"][0]
        await second.end()

    await assert_equals_the_exchange(second, "ETH-USDT", 4)


async def test_forming_candles_take_up_the_minutes_that_are_loaded_while_it_is_collected(tmp_path):
    async with (
        running_exchange(tmp_path, speed=60.0, start_ms=START_MS + 5 * MINUTE_MS) as late,
        collecting(late, "BTC-USDT") as collection,
    ):
        await collection.closes(1)
        book, lane = (
            collection.sink.books["BTC-USDT"],
            collection.collector.pipeline.lanes["BTC-USDT"],
        )
        loaded = np.zeros(1, CANDLE_DTYPE)
        loaded["open_time_ms"], loaded["minutes"] = START_MS - START_MS % DAY_MS, 1
        for name in ("open", "high", "low", "close"):
            loaded[name] = 123_456.0
        book.put(loaded)
        before = lane.forming.current(lane.stream.forming)[Timeframe.D1]
        await collection.until(lambda: lane.forming.is_whole or lane.minutes_closed > 3)
        await collection.until(lambda: lane.minutes_waiting == 0)
        after = lane.forming.current(lane.stream.forming)[Timeframe.D1]
        await collection.end()

    assert before["open"] < 123_456.0
    assert (after["open"], after["high"]) == (123_456.0, 123_456.0)
    assert after["minutes"] > before["minutes"]


async def test_an_instrument_that_leaves_is_stored_to_its_last_trade_and_says_no_more(exchange):
    async with collecting(exchange, "BTC-USDT", "ETH-USDT") as collection:
        await collection.closes(2, "ETH-USDT")
        exchange_lane = collection.collector.pipeline.lanes["ETH-USDT"]
        collection.fault("linger", channel="trades-all", inst_id="ETH-USDT", seconds=0.5)
        stays = [one for one in collection.collector.instruments if one.symbol == "BTC-USDT"]
        await collection.collector.follow(stays)
        last = exchange_lane.stream.last_trade_id
        assert max(collection.sink.books["ETH-USDT"].trades) == last
        await collection.closes(2, "BTC-USDT")
        assert max(collection.sink.books["ETH-USDT"].trades) == last
        assert set(collection.collector.channel_health()) == {"BTC-USDT"}
        await collection.end()

    await assert_equals_the_exchange(collection, "BTC-USDT", 3)
    assert collection.collector.health()["bad"] == 0, "late messages were expected"


async def test_one_that_left_comes_back_where_the_store_stands(exchange):
    async with collecting(exchange, "BTC-USDT", "ETH-USDT") as collection:
        await collection.closes(1, "ETH-USDT")
        both = collection.collector.instruments
        await collection.collector.follow([one for one in both if one.symbol == "BTC-USDT"])
        await reaches(exchange, exchange.clock.now_ms + 90_000)  # the market goes on without it
        await collection.collector.follow(both)
        await collection.closes(4, "ETH-USDT")
        await collection.end()

    await assert_equals_the_exchange(collection, "ETH-USDT", 5)


async def test_new_sizes_of_an_instrument_are_calculated_with_from_then_on(exchange):
    async with collecting(exchange, "BTC-USDT", "BTC-USDT-SWAP") as collection:
        await collection.closes(1, "BTC-USDT-SWAP")
        before = connections(collection)
        changed = [
            replace(one, contract_value=one.contract_value * 2) if "SWAP" in one.symbol else one
            for one in collection.collector.instruments
        ]
        await collection.collector.follow(changed)
        lane = collection.collector.pipeline.lanes["BTC-USDT-SWAP"]
        assert lane.spec == changed[1]
        await collection.closes(1, "BTC-USDT-SWAP")
        assert connections(collection) == before
        await collection.end()


async def test_channels_beyond_a_connection_s_limit_go_to_another_one(exchange):
    async with collecting(exchange, *FIVE, channels_per_connection=4) as collection:
        feeds = collection.collector.feeds
        await collection.until(
            lambda: len(feeds) == 5 and all(feed.is_live for feed in feeds.values())
        )
        sizes = {name: len(feed.channels) for name, feed in feeds.items()}
        assert sizes == {
            "public": 4,
            "public-2": 1,
            "business": 4,
            "business-2": 4,
            "business-3": 2,
        }
        await collection.closes(1, "XRP-USDT")
        leaving = [one for one in collection.collector.instruments if one.symbol == "XRP-USDT"]
        stays = [one for one in collection.collector.instruments if one not in leaving]
        await collection.collector.follow(stays)
        assert "business-3" not in feeds, "a connection without channels is given up"
        await collection.closes(1, "BTC-USDT")
        await collection.end()

    await assert_equals_the_exchange(collection, "BTC-USDT")


async def test_a_silent_channel_is_subscribed_anew_and_no_other_is_touched(exchange):
    async with collecting(exchange, "BTC-USDT", "ETH-USDT") as collection:
        await collection.closes(1)
        collection.fault("silence", channel="trades-all", inst_id="BTC-USDT", seconds=600.0)
        shown = set()

        def is_accused():
            channels = collection.collector.channel_health()["BTC-USDT"]["channels"]
            shown.add(channels["trades-all"]["state"])
            return "silent channels: trades-all BTC-USDT" in str(
                collection.collector.complaints.last_error
            )

        await collection.until(lambda: is_accused() and shown >= {"live", "repairing"})
        collection.exchange.faults.clear()
        await collection.closes(2)
        await collection.closes(2, "ETH-USDT")
        assert connections(collection) == {"public": 1, "business": 1}
        assert holes(collection, "ETH-USDT") == []
        await collection.end()

    await assert_equals_the_exchange(collection, "BTC-USDT", 3)
    await assert_equals_the_exchange(collection, "ETH-USDT")


async def test_a_channel_that_stays_silent_gets_another_connection(exchange):
    async with collecting(exchange, channel_silence_s=0.6) as collection:
        await collection.closes(1)
        collection.fault("silence", channel="trades-all", inst_id="BTC-USDT", seconds=600.0)
        await collection.until(lambda: collection.collector.feeds["business"].connections > 1)
        assert "channel trades-all BTC-USDT is silent" in str(
            collection.collector.complaints.last_error
        )
        collection.exchange.faults.clear()
        await collection.closes(3)
        await collection.end()

    await assert_equals_the_exchange(collection, "BTC-USDT", 4)


async def test_an_announced_end_of_the_connections_opens_no_hole_at_all(exchange):
    async with collecting(exchange, "BTC-USDT", "ETH-USDT", overlap_s=0.5) as collection:
        await collection.closes(1, "BTC-USDT")
        await collection.closes(1, "ETH-USDT")
        for _ in range(3):
            before = connections(collection)
            leaving = {session.connection_id for session in exchange.connections}
            collection.fault("upgrade", seconds=10.0)
            await collection.until(
                lambda leaving=leaving: (
                    not leaving & {session.connection_id for session in exchange.connections}
                )
            )
            assert connections(collection) == {name: n + 1 for name, n in before.items()}
        await asyncio.sleep(10.2)  # beyond the end of the old connections
        await collection.closes(1)
        assert all(feed.is_live for feed in collection.collector.feeds.values())
        assert connections(collection) == {"public": 4, "business": 4}
        await collection.end()

    for symbol in ("BTC-USDT", "ETH-USDT"):
        assert holes(collection, symbol) == []
        await assert_equals_the_exchange(collection, symbol, 3)
