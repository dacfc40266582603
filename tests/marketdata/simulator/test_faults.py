"""Every fault the simulated exchange can be told to have."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from marketdata.simulator.config import Limits
from marketdata.simulator.faults import FaultKind, read_faults
from tests.simulated_exchange import (
    START_MS,
    Listener,
    listening,
    pushed,
    reaches,
    running_exchange,
    topic,
)

pytestmark = pytest.mark.asyncio


async def order(exchange: Any, **fault: Any) -> None:
    """Ask the control endpoint for a fault."""
    async with httpx.AsyncClient(base_url=exchange.rest_url) as client:
        answer = await client.post("/control/faults", json=fault)
        assert answer.status_code == 200, answer.text


async def ids(socket: Listener, count: int) -> list[int]:
    return [int(row["tradeId"]) for row in await socket.rows("trades-all", count)]


async def trades_with(tmp_path: Path, wanted: int, **fault: Any) -> list[int]:
    """Return the ids of the first trades pushed after a fault was ordered."""
    async with (
        running_exchange(tmp_path, speed=0.0) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await socket.subscribe(topic("trades-all"))
        await socket.next()
        await order(exchange, channel="trades-all", **fault)
        exchange.clock.speed = 100.0
        first = exchange.market.last_id("BTC-USDT", START_MS) + 1
        return [number - first for number in await ids(socket, wanted)]


async def test_dropped_trades_never_come(tmp_path):
    assert (await trades_with(tmp_path, 3, kind="drop", count=4))[:3] == [4, 5, 6]


async def test_duplicated_trades_come_twice(tmp_path):
    found = await trades_with(tmp_path, 6, kind="duplicate", count=2)
    assert found[:6] == [0, 0, 1, 1, 2, 3]


async def test_reordered_trades_come_last_first(tmp_path):
    found = await trades_with(tmp_path, 5, kind="reorder", count=3)
    assert found[:5] == [2, 1, 0, 3, 4]


async def test_a_push_that_is_cut_off_gets_no_unknown_keys(tmp_path):
    async with (
        running_exchange(tmp_path, speed=0.0) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await socket.subscribe(topic("trades-all"))
        await socket.next()
        await order(exchange, kind="malformed", channel="trades-all")
        await order(exchange, kind="unknown_keys", channel="trades-all", count=2)
        exchange.clock.speed = 100.0
        assert isinstance(await socket.next(), str)
        assert "newKey" in await socket.until(lambda frame: pushed(frame, "trades-all"))


async def test_a_fault_hits_only_what_it_names(tmp_path):
    found = await trades_with(tmp_path, 3, kind="drop", count=4, instId="ETH-USDT")
    assert found[:3] == [0, 1, 2]


async def test_a_fault_waits_for_its_exchange_time(tmp_path):
    found = await trades_with(tmp_path, 60, kind="drop", count=2, after=20)
    missing = sorted(set(range(found[-1] + 1)) - set(found))

    assert found[0] == 0
    assert len(missing) == 2


async def test_unknown_keys_and_elements_appear_in_pushes(tmp_path):
    async with (
        running_exchange(tmp_path, speed=60.0) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await order(exchange, kind="unknown_keys", count=2)
        await socket.subscribe(topic("trades-all"), topic("candle1m"))
        trade = await socket.until(lambda it: pushed(it, "trades-all") and "newKey" in it)
        assert "newKey" in trade["data"][0]
        await order(exchange, kind="unknown_keys", channel="candle1m")
        candle = await socket.until(lambda it: pushed(it, "candle1m") and "newKey" in it)
        assert len(candle["data"][0]) == 10


async def test_malformed_pushes_are_no_json(tmp_path):
    async with (
        running_exchange(tmp_path, speed=60.0) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await order(exchange, kind="malformed", channel="trades-all")
        await socket.subscribe(topic("trades-all"))
        assert (await socket.next())["event"] == "subscribe"

        broken = await socket.next()
        assert isinstance(broken, str)
        assert broken.startswith('{"arg":{"channel":"trades-all"')
        assert pushed(await socket.next(), "trades-all")


async def test_one_channel_falls_silent_while_another_goes_on(tmp_path):
    async with (
        running_exchange(tmp_path, speed=100.0) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await socket.subscribe(topic("trades-all"), topic("trades-all", "ETH-USDT"))
        await socket.until(lambda it: pushed(it, "trades-all"))
        await order(exchange, kind="silence", channel="trades-all", instId="BTC-USDT", seconds=0.5)
        before = exchange.market.last_id("BTC-USDT", exchange.clock.now_ms)
        frame = await socket.until(
            lambda it: it["arg"]["instId"] == "BTC-USDT" and int(it["data"][0]["tradeId"]) > before
        )

    others = [json.loads(text) for text in socket.frames[-30:]]
    assert {it["arg"]["instId"] for it in others} == {"BTC-USDT", "ETH-USDT"}
    assert int(frame["data"][0]["tradeId"]) > before + 5


@pytest.mark.parametrize("pong", [True, False])
async def test_a_stalled_connection_stays_open_and_pushes_nothing(tmp_path, pong):
    async with (
        running_exchange(tmp_path, speed=100.0) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await socket.subscribe(topic("trades-all"))
        await socket.rows("trades-all", 1)
        await order(exchange, kind="stall", path="business", seconds=0.6, pong=pong)
        before = exchange.clock.now_ms
        await socket.send("ping")
        if pong:
            await socket.until(lambda it: it == "pong")
        frame = await socket.until(lambda it: pushed(it, "trades-all") and is_after(it, before))

    assert int(frame["data"][0]["ts"]) > before + 5_000
    assert ("pong" in socket.frames) is pong


def is_after(frame: Any, time_ms: int) -> bool:
    return int(frame["data"][0]["ts"]) > time_ms


async def test_a_stall_of_one_path_leaves_the_other_alone(tmp_path):
    async with (
        running_exchange(tmp_path, speed=100.0) as exchange,
        listening(f"{exchange.websocket_url}/public") as socket,
    ):
        await order(exchange, kind="stall", path="business", seconds=60)
        await socket.subscribe(topic("tickers"))
        assert len(await socket.rows("tickers", 3)) == 3


async def closed(socket: Listener) -> ConnectionClosed:
    with pytest.raises(ConnectionClosed) as error:
        await socket.until(lambda it: False)
    return error.value


async def test_a_connection_is_dropped_without_a_frame(tmp_path):
    async with (
        running_exchange(tmp_path, speed=0.0) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await order(exchange, kind="disconnect")
        assert (await closed(socket)).rcvd is None


async def test_a_connection_is_closed_with_4004(tmp_path):
    async with (
        running_exchange(tmp_path, speed=0.0) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await order(exchange, kind="close")
        frame = (await closed(socket)).rcvd

    assert frame is not None
    assert (frame.code, frame.reason) == (4004, "No data received in 30s.")


async def test_an_upgrade_is_announced_before_the_connection_ends(tmp_path):
    async with (
        running_exchange(tmp_path, speed=100.0) as exchange,
        listening(f"{exchange.websocket_url}/public") as socket,
    ):
        await socket.subscribe(topic("tickers"))
        await socket.rows("tickers", 1)
        await order(exchange, kind="upgrade", seconds=0.4)
        notice = await socket.until(lambda it: it.get("event") == "notice")
        assert notice["code"] == "64008"
        assert pushed(await socket.next(), "tickers")
        assert (await closed(socket)).rcvd is not None


async def test_a_subscription_is_refused_with_60018_and_works_the_next_time(tmp_path):
    async with (
        running_exchange(tmp_path, speed=0.0) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await order(exchange, kind="refuse", channel="trades-all")
        await socket.subscribe(topic("trades-all"))
        assert (await socket.next())["code"] == "60018"
        await socket.subscribe(topic("trades-all"))
        assert (await socket.next())["event"] == "subscribe"


async def test_data_comes_before_its_acknowledgement(tmp_path):
    async with (
        running_exchange(tmp_path, speed=0.0) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await order(exchange, kind="data_before_ack", channel="candle1m")
        await socket.subscribe(topic("candle1m"))
        assert pushed(await socket.next(), "candle1m")
        assert (await socket.next())["event"] == "subscribe"


@pytest.mark.parametrize(("path", "channel"), [("public", "trades"), ("business", "trades-all")])
async def test_the_first_trade_of_a_subscription_is_hours_old(tmp_path, path, channel):
    async with (
        running_exchange(tmp_path, speed=0.0) as exchange,
        listening(f"{exchange.websocket_url}/{path}") as socket,
    ):
        await order(exchange, kind="old_trade", channel=channel, seconds=9 * 3600)
        await socket.subscribe(topic(channel))
        (row,) = await socket.rows(channel, 1)

    assert START_MS - 10 * 3_600_000 < int(row["ts"]) <= START_MS - 9 * 3_600_000


async def test_data_goes_on_for_a_while_after_an_unsubscription(tmp_path):
    async with (
        running_exchange(tmp_path, speed=100.0) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await order(exchange, kind="linger", channel="trades-all", seconds=0.3)
        await socket.subscribe(topic("trades-all"))
        await socket.rows("trades-all", 1)
        await socket.send({"op": "unsubscribe", "args": [topic("trades-all")]})
        await socket.until(lambda it: it.get("event") == "unsubscribe")
        assert len(await socket.rows("trades-all", 2)) >= 2
        with pytest.raises(TimeoutError):
            await socket.until(lambda it: False, seconds=1.0)


async def test_a_bar_is_confirmed_late_and_after_the_next_one_has_begun(tmp_path):
    async with (
        running_exchange(tmp_path, speed=30.0, hold=True) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await order(exchange, kind="late_confirm", channel="candle1m", seconds=20)
        await socket.subscribe(topic("candle1m"))
        rows = [
            (await socket.until(lambda it: pushed(it, "candle1m")))["data"][0] for _ in range(3)
        ]
        while rows[-1][8] != "1":
            rows += await socket.rows("candle1m", 1)
        now = exchange.clock.now_ms

    assert int(rows[-1][0]) == START_MS - 60_000
    assert now >= START_MS + 23_000
    assert int(rows[0][0]) == START_MS


async def answers(exchange: Any, path: str, count: int, **query: Any) -> list[httpx.Response]:
    async with httpx.AsyncClient(base_url=f"{exchange.rest_url}/api/v5/") as client:
        return [await client.get(path, params=query) for _ in range(count)]


async def test_a_request_is_refused_with_429_without_data(tmp_path):
    async with running_exchange(tmp_path, speed=0.0) as exchange:
        await order(exchange, kind="rate_limit", path="public/time", count=2)
        found = await answers(exchange, "public/time", 3)

    assert [answer.status_code for answer in found] == [429, 429, 200]
    assert found[0].json() == {"msg": "Too Many Requests", "code": "50011"}


async def test_the_service_is_unavailable_or_answers_with_nothing(tmp_path):
    query = {"instId": "BTC-USDT"}
    async with running_exchange(tmp_path, speed=0.0) as exchange:
        await order(exchange, kind="unavailable", path="history-trades")
        await order(exchange, kind="empty", path="history-trades")
        found = await answers(exchange, "market/history-trades", 3, **query)

    assert [answer.status_code for answer in found] == [503, 200, 200]
    assert found[0].json()["code"] == "50001"
    assert [len(answer.json()["data"]) for answer in found[1:]] == [0, 100]


async def test_a_later_answer_comes_from_an_older_cache(tmp_path):
    query = {"instId": "BTC-USDT", "limit": 1}
    async with running_exchange(tmp_path, speed=0.0) as exchange:
        await order(exchange, kind="stale", path="market/trades", seconds=60)
        stale, fresh = await answers(exchange, "market/trades", 2, **query)

    assert int(stale.json()["data"][0]["ts"]) <= START_MS - 60_000
    assert int(fresh.json()["data"][0]["ts"]) > START_MS - 60_000


async def test_a_script_orders_faults_a_line_each(tmp_path):
    script = tmp_path / "faults.jsonl"
    script.write_text(
        "# trouble in the first minute\n"
        '{"kind": "drop", "channel": "trades-all", "count": 3, "after": 10}\n'
        "\n"
        '{"kind": "disconnect", "at": "2026-01-05T12:00:30"}\n'
    )
    async with (
        running_exchange(tmp_path, speed=100.0, faults=script) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await socket.subscribe(topic("trades-all"))
        await closed(socket)
        await reaches(exchange, START_MS + 31_000)

    rows = [json.loads(text) for text in socket.frames if '"data"' in text]
    found = [int(row["data"][0]["tradeId"]) for row in rows]
    assert len(set(range(found[0], found[-1] + 1)) - set(found)) == 3
    assert all(int(row["data"][0]["ts"]) < START_MS + 45_000 for row in rows)


async def test_a_script_that_is_wrong_names_its_line():
    with pytest.raises(ValueError, match=r"line 2: .*explode"):
        read_faults('{"kind": "drop"}\n{"kind": "explode"}\n')
    with pytest.raises(ValueError, match=r"line 1: .*chanel"):
        read_faults('{"kind": "drop", "chanel": "trades"}')


async def test_a_cut_drops_all_connections_and_refuses_new_ones_for_its_exchange_time(tmp_path):
    async with (
        running_exchange(tmp_path, speed=0.0) as exchange,
        listening(f"{exchange.websocket_url}/public") as socket,
    ):
        await order(exchange, kind="cut", seconds=60)
        with pytest.raises(ConnectionClosed):
            await socket.next()
        with pytest.raises(httpx.ConnectError):
            await order(exchange, kind="drop")
        exchange.clock.speed = 600.0
        await reaches(exchange, START_MS + 60_000)
        async with asyncio.timeout(10):
            while exchange.network.is_cut:  # noqa: ASYNC110 -- a port has no event
                await asyncio.sleep(0.01)
        await order(exchange, kind="drop")


async def test_faults_can_be_taken_back_and_are_shown(tmp_path):
    async with (
        running_exchange(tmp_path, speed=0.0) as exchange,
        httpx.AsyncClient(base_url=exchange.rest_url) as client,
    ):
        both = [{"kind": "drop", "count": 5}, {"kind": "close", "after": 600}]
        state = (await client.post("/control/faults", json=both)).json()
        assert [fault["kind"] for fault in state["faults"]["active"]] == ["drop"]
        assert [fault["kind"] for fault in state["faults"]["waiting"]] == ["close"]
        state = (await client.delete("/control/faults")).json()
        assert state["faults"] == {"waiting": [], "active": []}
        wrong = await client.post("/control/faults", json={"kind": "explode"})
        assert wrong.status_code == 400


async def test_a_client_that_pings_is_not_closed_by_the_30_second_rule(tmp_path):
    limits = Limits(idle_close_s=0.3)
    async with (
        running_exchange(tmp_path, speed=0.0, limits=limits) as exchange,
        listening(f"{exchange.websocket_url}/public") as socket,
    ):
        for _ in range(5):
            await asyncio.sleep(0.1)
            await socket.send("ping")
            assert await socket.next() == "pong"
        assert (await closed(socket)).rcvd.code == 4004


async def test_every_kind_of_fault_has_a_test():
    source = inspect.getsource(sys.modules[__name__])

    assert [kind for kind in FaultKind if f'kind="{kind}"' not in source] == []
