"""Whatever goes wrong on the way, what is stored is what the exchange traded."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio

from marketdata.collector.errors import ExchangeRefused, LostLease
from marketdata.collector.okx.collector import OKXCollector
from marketdata.collector.okx.rest import OKXHistory
from marketdata.simulator.faults import Fault, FaultKind
from tests.marketdata.collector.collection import (
    QUICK,
    NoLimits,
    assert_equals_the_exchange,
    collecting,
    endpoints,
    specs,
)
from tests.marketdata.collector.memory import MemorySink, Screen
from tests.patience import PATIENCE_S, becomes, steadily_awaited
from tests.simulated_exchange import START_MS, reaches, running_exchange

REFUSED = Fault(kind=FaultKind("refuse"), channel="trades-all", inst_id="ETH-USDT")

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]


@pytest_asyncio.fixture
async def exchange(tmp_path):
    async with running_exchange(tmp_path, speed=60.0, start_ms=START_MS + 20_000) as exchange:
        yield exchange


async def market_goes_on(exchange):
    """Let two and a half minutes pass that nobody collects."""
    await reaches(exchange, exchange.clock.now_ms + 150_000)


async def test_a_start_in_the_middle_of_a_minute_gives_whole_candles_only(exchange):
    async with collecting(exchange, "BTC-USDT", "ETH-USDT-SWAP") as collection:
        await collection.closes(3)
        await collection.closes(1, "ETH-USDT-SWAP")
        await collection.end()

    await assert_equals_the_exchange(collection, "BTC-USDT", 3)
    await assert_equals_the_exchange(collection, "ETH-USDT-SWAP")
    assert collection.collector.health()["bad"] == 0


async def test_an_exchange_that_refuses_its_clock_at_the_start_is_asked_again(exchange):
    class Refusing(OKXHistory):
        refusals = 2

        async def server_time_ms(self) -> int:
            if self.refusals:
                self.refusals -= 1
                raise ExchangeRefused("/api/v5/public/time: code 50199 not now")
            return await super().server_time_ms()

    instruments = await specs(exchange, "BTC-USDT")
    sink, stop = MemorySink(instruments), asyncio.Event()
    places = endpoints(exchange)
    async with Refusing(places, NoLimits()) as rest:
        collector = OKXCollector(
            instruments=instruments,
            sink=sink,
            publisher=Screen(),
            endpoints=places,
            history=rest,
            settings=QUICK,
        )
        running = asyncio.create_task(collector.run(stop))
        await becomes(lambda: bool(sink.books["BTC-USDT"].candles))
        stop.set()
        await asyncio.wait_for(running, PATIENCE_S)
    assert rest.refusals == 0


async def test_closed_candles_are_shown_after_they_are_stored_and_forming_ones_all_along(exchange):
    async with collecting(exchange) as collection:
        await collection.closes(2)
        await collection.end()

    book = collection.sink.books["BTC-USDT"]
    assert collection.screen.closes["BTC-USDT"] == sorted(book.candles)
    assert len(collection.screen.shown["BTC-USDT"]) >= 4
    assert collection.screen.tickers["BTC-USDT"].last > 0


async def test_a_dropped_trade_is_fetched_before_its_minute_closes(exchange):
    async with collecting(exchange) as collection:
        await collection.closes(1)
        collection.fault("drop", channel="trades-all", count=7)
        await collection.opened_holes(2)
        await collection.closes(2)
        await collection.end()

    await assert_equals_the_exchange(collection)
    assert collection.sink.books["BTC-USDT"].given_up == []


@pytest.mark.parametrize("kind", ["duplicate", "reorder", "unknown_keys"])
async def test_what_arrives_twice_turned_round_or_with_new_keys_changes_nothing(exchange, kind):
    async with collecting(exchange) as collection:
        await collection.closes(1)
        collection.fault(kind, channel="trades-all", count=40)
        await collection.closes(2)
        await collection.end()

    await assert_equals_the_exchange(collection)


async def test_a_broken_frame_is_counted_and_its_trade_fetched(exchange):
    async with collecting(exchange) as collection:
        await collection.closes(1)
        collection.fault("malformed", channel="trades-all", count=3)
        await collection.opened_holes(2)
        await collection.closes(2)
        await collection.end()

    await assert_equals_the_exchange(collection)
    assert collection.collector.health()["bad"] == 3


@pytest.mark.parametrize("answers_pings", [True, False])
async def test_a_stalled_socket_is_replaced_and_the_time_without_it_made_good(
    exchange, answers_pings
):
    quick = {"ping_after_s": 0.4, "pong_within_s": 0.4, "ack_within_s": 2, "candle_silence_s": 3}
    async with collecting(exchange, **quick) as collection:
        await collection.closes(1)
        collection.fault("stall", seconds=600.0, pong=answers_pings)
        await collection.until(lambda: collection.collector.health()["reconnects"] >= 1)
        collection.exchange.faults.clear()
        await collection.closes(3)
        await collection.end()

    await assert_equals_the_exchange(collection, at_least=4)


async def test_a_silent_trade_channel_is_found_out_by_the_candle_channel(exchange):
    async with collecting(exchange) as collection:
        await collection.closes(1)
        collection.fault("silence", channel="trades-all", seconds=600.0)
        await collection.until(lambda: collection.collector.health()["reconnects"] >= 1)
        await collection.until(lambda: "trades-all" in collection.collector.health()["last_error"])
        collection.exchange.faults.clear()
        await collection.closes(4)
        await collection.end()

    await assert_equals_the_exchange(collection, at_least=4)


async def test_a_minute_of_which_the_exchange_counts_more_waits_for_the_missing_trades(exchange):
    async with collecting(exchange, channel_silence_s=600.0) as collection:
        await collection.closes(1)
        collection.fault("silence", channel="trades-all", seconds=600.0)
        await collection.closes(2)
        collection.exchange.faults.clear()
        await collection.closes(2)
        await collection.end()

    await assert_equals_the_exchange(collection, at_least=5)
    items = [item for batch in collection.sink.batches for item in batch.instruments]
    assert [item for item in items if item.emission.rebuild] == [], "a candle had to be revised"
    assert collection.collector.health()["reconnects"] == 0


async def test_a_connection_cut_without_a_frame_is_made_again_without_a_hole(exchange):
    async with collecting(exchange) as collection:
        await collection.closes(1)
        collection.fault("disconnect")
        await collection.until(lambda: collection.collector.health()["reconnects"] >= 2)
        await collection.closes(2)
        await collection.end()

    await assert_equals_the_exchange(collection)


async def test_an_announced_upgrade_is_overlapped_so_that_no_hole_opens(exchange):
    async with collecting(exchange) as collection:
        await collection.closes(1)
        holes = len(collection.sink.books["BTC-USDT"].opened)
        collection.fault("upgrade", seconds=10.0)
        await collection.until(lambda: collection.collector.health()["reconnects"] >= 2)
        await collection.closes(3)
        await collection.end()

    await assert_equals_the_exchange(collection)
    assert len(collection.sink.books["BTC-USDT"].opened) == holes


async def test_an_old_trade_or_data_before_the_ack_of_a_subscription_changes_nothing(exchange):
    for kind in ("old_trade", "data_before_ack"):
        fault = {"seconds": 7_200.0} if kind == "old_trade" else {}
        async with collecting(exchange) as collection:
            collection.fault(kind, count=3, **fault)
            await collection.closes(1)
            collection.fault(kind, count=3, **fault)
            collection.fault("disconnect")
            await collection.until(lambda: collection.collector.health()["reconnects"] >= 2)
            await collection.closes(2)
            await collection.end()

        await assert_equals_the_exchange(collection)


async def test_where_single_trades_are_refused_merged_ones_bring_the_same_candles(exchange):
    names = ("BTC-USDT", "ETH-USDT")
    exchange.faults.add([REFUSED])
    async with collecting(exchange, *names, refused_retry_s=60) as collection:
        await collection.closes(3, "ETH-USDT")
        await collection.closes(1, "BTC-USDT")
        channels = collection.collector.channel_health()["ETH-USDT"]["channels"]
        await collection.end()

    assert (channels["trades-all"]["state"], channels["trades"]["state"]) == ("failed", "live")
    assert "trades" not in collection.collector.channel_health()["BTC-USDT"]["channels"]
    book = collection.sink.books["ETH-USDT"]
    assert max(trade["count"] for trade in book.trades.values()) > 1
    assert book.given_up == []
    await assert_equals_the_exchange(collection, "ETH-USDT", 3, is_merged=True)


async def test_merged_trades_end_once_single_ones_are_taken(exchange):
    exchange.faults.add([REFUSED])
    async with collecting(exchange, "ETH-USDT", refused_retry_s=1) as collection:
        await collection.closes(1, "ETH-USDT")
        health = collection.collector.health
        await collection.until(lambda: not health()["refused"])
        await collection.until(
            lambda: "trades" not in collection.collector.channel_health()["ETH-USDT"]["channels"]
        )
        await collection.closes(2, "ETH-USDT")
        await collection.end()
    assert collection.sink.books["ETH-USDT"].given_up == []
    await assert_equals_the_exchange(collection, "ETH-USDT", 3, is_merged=True)


async def test_a_refused_channel_is_asked_for_again_while_the_others_go_on(exchange):
    async with collecting(exchange, "BTC-USDT", "ETH-USDT") as collection:
        collection.fault("refuse", channel="trades-all", inst_id="ETH-USDT")
        await collection.closes(1, "BTC-USDT")
        await collection.closes(2, "ETH-USDT")
        await collection.closes(1, "BTC-USDT")
        await collection.end()

    await assert_equals_the_exchange(collection, "BTC-USDT")
    await assert_equals_the_exchange(collection, "ETH-USDT", is_merged=True)
    assert collection.collector.health()["bad_by_reason"] == {"refused by the exchange": 1}


@pytest.mark.parametrize("kind", ["rate_limit", "unavailable", "empty", "stale"])
async def test_a_hole_is_filled_though_rest_is_in_trouble(exchange, kind):
    async with collecting(exchange) as collection:
        await collection.closes(1)
        collection.fault(kind, path="history-trades", count=3, seconds=30.0)
        collection.fault("drop", channel="trades-all", count=30)
        await collection.opened_holes(2)
        await collection.closes(2)
        await collection.end()

    await assert_equals_the_exchange(collection)
    assert collection.sink.books["BTC-USDT"].given_up == []


async def test_a_late_confirmation_delays_nothing(exchange):
    async with collecting(exchange) as collection:
        await collection.closes(1)
        collection.fault("late_confirm", channel="candle1m", count=2, seconds=30.0)
        await collection.closes(3)
        await collection.end()

    await assert_equals_the_exchange(collection)


async def test_a_quiet_instrument_gets_flat_candles_and_whole_ones(exchange):
    async with collecting(exchange, "LTC-USDT") as collection:
        await collection.closes(5, "LTC-USDT")
        await collection.end()

    await assert_equals_the_exchange(collection, "LTC-USDT", 5)


async def test_a_restart_takes_up_exactly_where_the_store_stands(exchange):
    async with collecting(exchange) as first:
        await first.closes(2)
        await first.end()
    await market_goes_on(exchange)
    async with collecting(exchange, sink=first.sink) as second:
        await second.closes(4)
        await second.end()

    await assert_equals_the_exchange(second, at_least=6)


async def test_a_long_absence_is_made_good_by_the_exchanges_candles(exchange):
    async with collecting(exchange) as first:
        await first.closes(1)
        await first.end()
    await market_goes_on(exchange)
    async with collecting(exchange, sink=first.sink, max_hole_trades=50) as second:
        await second.closes(4)
        await second.until(lambda: second.collector.health()["repairs"] == 0)
        await second.end()

    book = second.sink.books["BTC-USDT"]
    # More than one where the machine made another absence by standing still.
    assert book.given_up
    opens = sorted(book.candles)
    assert opens == list(range(opens[0], opens[-1] + 1, 60_000))
    assert all(candle["minutes"] == 1 for candle in book.candles.values())


async def test_nothing_is_lost_or_doubled_while_the_store_is_down(exchange):
    async with collecting(exchange) as collection:
        await collection.closes(1)
        collection.sink.failures = 12
        await collection.until(lambda: collection.sink.failures == 0)
        await collection.closes(2)
        await collection.end()

    await assert_equals_the_exchange(collection)
    assert "store is down" in collection.collector.health()["last_error"]
    stored = [
        int(trade)
        for batch in collection.sink.batches
        for item in batch.instruments
        for trade in item.emission.trades["trade_id"]
    ]
    assert len(stored) == len(set(stored))


async def test_reading_waits_for_a_slow_store_and_stays_exact(exchange):
    async with collecting(exchange, backlog_trades=20) as collection:
        collection.sink.delay_s = 0.15
        await collection.until(lambda: collection.collector.pipeline.writer.is_full())
        await collection.closes(2)
        await collection.end()

    await assert_equals_the_exchange(collection)


async def test_a_lost_lease_ends_the_collector_without_another_write(exchange):
    async with collecting(exchange) as collection:
        await collection.closes(1)
        collection.sink.is_lost = True
        await asyncio.wait([collection.running], timeout=PATIENCE_S)
        batches = len(collection.sink.batches)

        with pytest.raises(LostLease):
            collection.running.result()
        await asyncio.sleep(0.2)
        assert len(collection.sink.batches) == batches
        assert collection.sink.is_closed


async def test_a_stop_stores_all_that_was_received_and_ends_within_seconds(exchange):
    async def stopped():
        async with collecting(exchange) as collection:
            await collection.closes(1)
            loop = asyncio.get_running_loop()
            asked_s = loop.time()
            await collection.end()
            assert loop.time() - asked_s < 2.5
            return collection

    collection = await steadily_awaited(stopped, 0.5)
    assert collection.sink.is_closed
    assert len(collection.sink.threads) == 1, "the sink was used by more than one thread"
    newest = collection.collector.pipeline.lanes["BTC-USDT"].stream.last_trade_id
    assert max(collection.sink.books["BTC-USDT"].trades) == newest
