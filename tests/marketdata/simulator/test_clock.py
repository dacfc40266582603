"""The exchange's clock: in the past, kept over restarts, as fast as told, as slow as needed."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from marketdata.simulator.clock import ExchangeClock, WrongState
from marketdata.simulator.config import Limits
from marketdata.simulator.exchange import SimulatedExchange
from tests.patience import Patience
from tests.simulated_exchange import (
    START_MS,
    listening,
    reaches,
    running_exchange,
    spawned_exchange,
    topic,
)


def clock(folder, speed: float = 1.0, identity: str = "a market") -> ExchangeClock:
    return ExchangeClock(folder, identity, START_MS, speed)


def test_time_goes_as_fast_as_told(tmp_path):
    assert clock(tmp_path, speed=60.0).target(0.05) == START_MS + 3000


def test_a_loop_that_was_held_up_loses_the_time(tmp_path):
    assert clock(tmp_path, speed=1.0).target(30.0) == START_MS + 100


def test_a_clock_that_stopped_in_peace_goes_on_where_it_was(tmp_path):
    first = clock(tmp_path)
    first.advance(START_MS + 1234)
    first.close()

    assert clock(tmp_path).now_ms == START_MS + 1234


def test_a_clock_that_was_killed_never_goes_back(tmp_path):
    first = clock(tmp_path, speed=60.0)
    for step in range(1, 200):
        first.advance(START_MS + step * 1000)

        again = clock(tmp_path).now_ms
        assert first.now_ms <= again <= first.now_ms + 60_000


def test_a_clock_is_not_moved_back_by_a_start_time(tmp_path):
    clock(tmp_path).close()

    assert ExchangeClock(tmp_path, "a market", START_MS - 5000, 1.0).now_ms == START_MS


def test_the_clock_of_another_market_is_refused(tmp_path):
    clock(tmp_path, identity="seed 1")

    with pytest.raises(WrongState, match=r"seed 1.*seed 2.*another state folder"):
        clock(tmp_path, identity="seed 2")


def test_a_new_exchange_starts_in_the_past(tmp_path):
    async def started() -> int:
        async with running_exchange(tmp_path, start_ms=None, speed=0.0) as exchange:
            return exchange.clock.now_ms

    age_days = (time.time() * 1000 - asyncio.run(started())) / 86_400_000
    assert 29.9 < age_days < 30.1


def test_a_killed_server_goes_on_later_with_the_same_market(tmp_path):
    with spawned_exchange(tmp_path, "--speed", "200") as exchange:
        patience = Patience()
        while (before := exchange.state()["exchangeMs"]) < START_MS + 30_000:
            assert not patience.is_over()
        exchange.kill()
    with spawned_exchange(tmp_path, "--speed", "0") as exchange:
        now = exchange.state()["exchangeMs"]
        query = {"instId": "BTC-USDT", "after": START_MS}
        rows = httpx.get(f"{exchange.rest}/api/v5/market/candles", params=query).json()["data"]

    assert before <= now <= before + 250_000
    assert int(rows[0][0]) == START_MS - 60_000


def test_a_stopped_server_keeps_its_time_to_the_millisecond(tmp_path):
    with spawned_exchange(tmp_path, "--speed", "200") as exchange:
        exchange.post("speed", {"speed": 0})
        stopped = exchange.state()["exchangeMs"]
        exchange.stop()
        assert exchange.process.returncode == 0
    with spawned_exchange(tmp_path, "--speed", "0") as exchange:
        assert exchange.state()["exchangeMs"] == stopped


@pytest.mark.asyncio
async def test_the_speed_can_be_changed_while_it_runs(tmp_path):
    async with (
        running_exchange(tmp_path, speed=0.0) as exchange,
        httpx.AsyncClient(base_url=exchange.rest_url) as client,
    ):
        assert exchange.clock.now_ms == START_MS
        state = (await client.post("/control/speed", json={"speed": 300})).json()
        assert state["speed"] == 300
        await reaches(exchange, START_MS + 60_000)
        wrong = await client.post("/control/speed", json={"speed": -1})
        assert wrong.status_code == 400
        assert (await client.get("/control/nothing")).status_code == 404


@pytest.mark.asyncio
async def test_a_held_clock_starts_with_the_first_subscription(tmp_path):
    async with (
        running_exchange(tmp_path, speed=100.0, hold=True) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await asyncio.sleep(0.2)
        assert exchange.clock.now_ms == START_MS
        await socket.subscribe(topic("trades-all"))
        await reaches(exchange, START_MS + 10_000)


@pytest.mark.asyncio
async def test_the_clock_waits_for_a_reader_that_lags_and_nothing_is_skipped(tmp_path):
    settings = {"speed": 5000.0, "activity": 10.0, "limits": Limits(slow_reader_bytes=50_000)}
    async with running_exchange(tmp_path, **settings) as exchange:
        address = f"{exchange.websocket_url}/business"
        async with connect(address, compression=None, max_queue=1, close_timeout=1) as socket:
            await socket.send(
                '{"op":"subscribe","args":[{"channel":"trades-all","instId":"BTC-USDT"}]}'
            )
            await socket.recv()
            await lags(exchange)
            stopped = exchange.clock.now_ms
            await asyncio.sleep(0.3)
            assert exchange.clock.now_ms == stopped
            first = int((await socket.recv()).split('"tradeId":"')[1].split('"')[0])
            for number in range(first + 1, first + 5000):
                assert f'"tradeId":"{number}"' in await socket.recv()
            await reaches(exchange, stopped + 1000)


@pytest.mark.asyncio
async def test_a_reader_that_never_reads_is_cut_off_and_the_clock_goes_on(tmp_path):
    limits = Limits(slow_reader_bytes=50_000, slow_reader_s=0.3)
    async with running_exchange(tmp_path, speed=5000.0, activity=10.0, limits=limits) as exchange:
        address = f"{exchange.websocket_url}/business"
        async with connect(address, compression=None, max_queue=1, close_timeout=1) as socket:
            await socket.send(
                '{"op":"subscribe","args":[{"channel":"trades-all","instId":"BTC-USDT"}]}'
            )
            await lags(exchange)
            stopped = exchange.clock.now_ms
            await reaches(exchange, stopped + 60_000)
            with pytest.raises(ConnectionClosed):
                await to_the_end(socket)


async def lags(exchange: SimulatedExchange) -> None:
    async with asyncio.timeout(15):
        while not exchange.connections.are_lagging:  # noqa: ASYNC110 -- lagging has no event
            await asyncio.sleep(0.01)


async def to_the_end(socket: ClientConnection) -> None:
    while True:
        await socket.recv()
