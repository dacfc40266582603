"""What the channels push as time goes on."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import pairwise
from typing import Any

import httpx
import pytest

from marketdata.simulator.book_feeds import checksum
from tests.simulated_exchange import START_MS, listening, pushed, running_exchange, topic

pytestmark = pytest.mark.asyncio
MINUTE = 60_000


async def test_all_trades_come_one_by_one_and_none_is_missing(tmp_path):
    async with (
        running_exchange(tmp_path, speed=300.0) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await socket.subscribe(topic("trades-all"), topic("trades-all", "BTC-USDT-SWAP"))
        frames = [await socket.until(lambda it: pushed(it, "trades-all")) for _ in range(600)]

    for symbol in ("BTC-USDT", "BTC-USDT-SWAP"):
        rows = [frame["data"] for frame in frames if frame["arg"]["instId"] == symbol]
        ids = [int(row["tradeId"]) for (row,) in rows]
        assert len(ids) > 50
        assert ids == list(range(ids[0], ids[0] + len(ids)))


async def test_aggregated_trades_follow_each_other_by_their_counts(tmp_path):
    async with (
        running_exchange(tmp_path, speed=300.0) as exchange,
        listening(f"{exchange.websocket_url}/public") as socket,
        httpx.AsyncClient(base_url=f"{exchange.rest_url}/api/v5/") as rest,
    ):
        await socket.subscribe(topic("trades"))
        rows = await socket.rows("trades", 80)
        last = int(rows[-1]["tradeId"])
        query = {"instId": "BTC-USDT", "after": last + 1}
        singles = (await rest.get("market/history-trades", params=query)).json()["data"]

    for before, row in pairwise(rows):
        assert int(row["tradeId"]) - int(row["count"]) == int(before["tradeId"])
        assert isinstance(row["seqId"], int)
    assert any(int(row["count"]) > 1 for row in rows)
    sizes = {int(row["tradeId"]): Decimal(row["sz"]) for row in singles}
    for row in rows[-20:]:
        ids = range(int(row["tradeId"]) - int(row["count"]) + 1, int(row["tradeId"]) + 1)
        assert Decimal(row["sz"]) == sum(sizes[number] for number in ids)


async def test_a_bar_is_confirmed_once_and_the_next_one_follows_at_once(tmp_path):
    async with (
        running_exchange(tmp_path, speed=60.0, hold=True) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await socket.subscribe(topic("candle1m", "LTC-USDT"))
        rows = await socket.rows("candle1m", 1)
        while sum(row[8] == "1" for row in rows) < 3:
            rows += await socket.rows("candle1m", 1)
        rows += await socket.rows("candle1m", 1)

    closed = [int(row[0]) for row in rows if row[8] == "1"]
    assert closed == [START_MS - MINUTE, START_MS, START_MS + MINUTE]
    after = [rows[place + 1] for place, row in enumerate(rows) if row[8] == "1"]
    assert all(int(row[0]) % MINUTE == 0 and row[8] == "0" for row in after)


async def test_a_minute_without_trades_is_pushed_flat(tmp_path):
    async with (
        running_exchange(tmp_path, speed=200.0) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await socket.subscribe(topic("candle1m", "LTC-USDT"))
        previous = await socket.until(lambda it: pushed(it, "candle1m") and it["data"][0][8] == "1")
        while True:
            flat = await socket.until(lambda it: pushed(it, "candle1m") and it["data"][0][8] == "1")
            if flat["data"][0][5] == "0":
                break
            previous = flat

    close = previous["data"][0][4]
    assert flat["data"][0][1:8] == [close, close, close, close, "0", "0", "0"]


async def test_running_bars_are_pushed_at_most_once_a_second(tmp_path):
    async with (
        running_exchange(tmp_path, speed=20.0) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await socket.subscribe(topic("candle1m"))
        before = exchange.clock.now_ms
        rows = await socket.rows("candle1m", 8)
        elapsed = exchange.clock.now_ms - before

    assert len(rows) <= elapsed / 1000 + 2


@pytest.mark.parametrize("bar", ["5m", "15m", "1H", "4H", "1D", "1Dutc"])
async def test_a_running_bar_of_any_length_equals_the_one_rest_serves(tmp_path, bar):
    async with (
        running_exchange(tmp_path, speed=0.0, start_ms=START_MS + 1_234_567) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
        httpx.AsyncClient(base_url=f"{exchange.rest_url}/api/v5/") as rest,
    ):
        await socket.subscribe(topic(f"candle{bar}", "ETH-USDT-SWAP"))
        (pushed_row,) = await socket.rows(f"candle{bar}", 1)
        query = {"instId": "ETH-USDT-SWAP", "bar": bar, "limit": 1}
        served = (await rest.get("market/candles", params=query)).json()["data"][0]

    assert pushed_row == served


async def test_confirmed_bars_equal_those_rest_serves(tmp_path):
    async with (
        running_exchange(tmp_path, speed=600.0) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
        httpx.AsyncClient(base_url=f"{exchange.rest_url}/api/v5/") as rest,
    ):
        await socket.subscribe(topic("candle1m"), topic("candle5m"))
        closed: dict[str, list[list[str]]] = {"1m": [], "5m": []}
        while len(closed["5m"]) < 2:
            frame = await socket.until(lambda it: "data" in it and it["data"][0][8] == "1")
            closed[frame["arg"]["channel"].removeprefix("candle")] += frame["data"]
        for bar, rows in closed.items():
            query = {"instId": "BTC-USDT", "bar": bar, "after": int(rows[-1][0]) + 1}
            served = (await rest.get("market/history-candles", params=query)).json()["data"]
            assert served[: len(rows)] == rows[::-1]


async def test_tickers_tell_the_last_trade(tmp_path):
    async with (
        running_exchange(tmp_path, speed=30.0) as exchange,
        listening(f"{exchange.websocket_url}/public") as socket,
    ):
        await socket.subscribe(topic("tickers"))
        rows = await socket.rows("tickers", 6)
        known = {
            exchange.market.instruments["BTC-USDT"].price(int(ticks))
            for ticks in exchange.view().newest_matches("BTC-USDT", 5000).ticks
        }

    assert all(row["last"] in known for row in rows)
    assert [int(row["ts"]) for row in rows] == sorted(int(row["ts"]) for row in rows)


def apply(book: dict[str, dict[str, list[str]]], frame: dict[str, Any]) -> None:
    for side in ("asks", "bids"):
        for level in frame["data"][0][side]:
            if level[1] == "0":
                del book[side][level[0]]
            else:
                book[side][level[0]] = level


async def test_a_book_kept_by_updates_equals_a_fresh_snapshot(tmp_path):
    book: dict[str, dict[str, list[str]]] = {"asks": {}, "bids": {}}
    address = ""
    async with running_exchange(tmp_path, speed=8.0) as exchange:
        address = f"{exchange.websocket_url}/public"
        async with listening(address) as socket, listening(address) as other:
            await socket.subscribe(topic("books"))
            frames = [await socket.until(lambda it: pushed(it, "books")) for _ in range(40)]
            for frame in frames:
                apply(book, frame)
            exchange.clock.speed = 0.0
            await other.subscribe(topic("books"))
            snapshot = await other.until(lambda it: pushed(it, "books"))
            last = snapshot["data"][0]["seqId"]
            while frames[-1]["data"][0]["seqId"] != last:
                frames.append(await socket.until(lambda it: pushed(it, "books")))
                apply(book, frames[-1])

    assert [frame["action"] for frame in frames] == ["snapshot"] + ["update"] * (len(frames) - 1)
    assert frames[0]["data"][0]["prevSeqId"] == -1
    for before, frame in pairwise(frames):
        assert frame["data"][0]["prevSeqId"] == before["data"][0]["seqId"]
    for side in ("asks", "bids"):
        fresh = snapshot["data"][0][side]
        assert len(fresh) == 400
        assert book[side] == {level[0]: level for level in fresh}
    assert all(frame["data"][0]["checksum"] == 0 for frame in frames)


async def test_a_legacy_checksum_is_that_of_the_best_25_levels(tmp_path):
    async with (
        running_exchange(tmp_path, speed=0.0, legacy_checksum=True) as exchange,
        listening(f"{exchange.websocket_url}/public") as socket,
    ):
        await socket.subscribe(topic("books"))
        (row,) = await socket.rows("books", 1)

    assert row["checksum"] != 0
    assert row["checksum"] == checksum(row["asks"], row["bids"])


async def test_small_books_are_always_whole(tmp_path):
    async with (
        running_exchange(tmp_path, speed=8.0) as exchange,
        listening(f"{exchange.websocket_url}/public") as socket,
    ):
        await socket.subscribe(topic("bbo-tbt"), topic("books5"))
        best = await socket.rows("bbo-tbt", 3)
        five = await socket.rows("books5", 3)

    assert all(len(row["asks"]) == len(row["bids"]) == 1 for row in best)
    assert all(len(row["asks"]) == len(row["bids"]) == 5 for row in five)
    assert {row["instId"] for row in five} == {"BTC-USDT"}
    assert "prevSeqId" not in five[0]


async def test_status_tells_its_latest_change_and_instruments_only_changes(tmp_path):
    async with (
        running_exchange(tmp_path, speed=0.0) as exchange,
        listening(f"{exchange.websocket_url}/public") as socket,
    ):
        await socket.subscribe(
            {"channel": "status"}, {"channel": "instruments", "instType": "SPOT"}
        )
        assert (await socket.next())["arg"] == {"channel": "status"}
        assert (await socket.next())["data"][0]["state"] == "completed"
        assert (await socket.next())["arg"]["instType"] == "SPOT"
        await socket.send("ping")
        assert await socket.next() == "pong"


async def test_candles_are_found_on_the_public_path_when_the_switch_says_so(tmp_path):
    async with (
        running_exchange(tmp_path, speed=0.0, candles_on_public=True) as exchange,
        listening(f"{exchange.websocket_url}/public") as socket,
    ):
        await socket.subscribe(topic("candle1m"))
        assert (await socket.next())["event"] == "subscribe"


async def test_thousands_of_trades_a_second_are_pushed_without_a_hole(tmp_path):
    async with (
        running_exchange(tmp_path, speed=2000.0, activity=4.0) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await socket.subscribe(topic("trades-all"))
        loop = asyncio.get_running_loop()
        await socket.rows("trades-all", 100)
        started = loop.time()
        rows = await socket.rows("trades-all", 6000, seconds=25)
        took = loop.time() - started

    ids = [int(row["tradeId"]) for row in rows]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert took < 20
