"""One socket, against a server that misbehaves on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from marketdata.collector.errors import ExchangeUnavailable
from marketdata.collector.okx.constants import RATE_WINDOW_S, RATES
from marketdata.collector.okx.messages import Ack, Refusal
from marketdata.collector.okx.parsing import parse
from marketdata.collector.okx.websocket import OKXSocket, requests
from marketdata.collector.settings import CollectorSettings
from marketdata.collector.socket import SUBSCRIBE
from tests.patience import PATIENCE_S, becomes, steadily_awaited

pytestmark = pytest.mark.asyncio

QUICK = CollectorSettings(
    ping_after_s=0.2, pong_within_s=0.2, ack_within_s=0.2, refused_retry_s=0.1, close_timeout_s=0.2
)
TRADES = ("trades-all", "BTC-USDT")
REFUSAL = {
    "event": "error",
    "code": "60018",
    "msg": "Wrong URL or channel:trades-all,instId:BTC-USDT doesn't exist.",
}
Behaviour = Callable[[ServerConnection], Awaitable[None]]


class Reader:
    """What a collector does with frames, as far as a socket can tell."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def receive(self, socket: OKXSocket, message: bytes) -> None:
        self.frames.append(message)
        said = parse(message)
        if isinstance(said, Ack):
            if said.event == SUBSCRIBE:
                socket.acknowledged((said.channel, said.symbol))
        elif isinstance(said, Refusal):
            socket.refuse((said.channel, said.symbol), said.code)


@contextlib.asynccontextmanager
async def connected(
    behaviour: Behaviour, settings: CollectorSettings = QUICK, **options: Any
) -> AsyncIterator[tuple[OKXSocket, Reader]]:
    async with serve(behaviour, "127.0.0.1", 0, ping_interval=None, close_timeout=0.1) as server:
        port = server.sockets[0].getsockname()[1]
        reader = Reader()
        yield (
            OKXSocket(
                f"ws://127.0.0.1:{port}/ws/v5/business",
                {TRADES},
                reader.receive,
                is_full=lambda: False,
                drained=lambda: asyncio.sleep(0),
                settings=settings,
                **options,
            ),
            reader,
        )


async def acknowledge(connection: ServerConnection) -> dict[str, object]:
    request: dict[str, object] = json.loads(await connection.recv())
    arg = request["args"][0]  # type: ignore[index]
    await connection.send(json.dumps({"event": "subscribe", "arg": arg, "connId": "1"}))
    return request


async def test_silence_is_broken_by_a_text_ping_and_the_answer_keeps_the_socket():
    async def is_kept() -> None:
        pings = []

        async def behaviour(connection: ServerConnection) -> None:
            await acknowledge(connection)
            async for message in connection:
                pings.append(message)
                await connection.send("pong")
                if len(pings) == 3:
                    await connection.close(4004, "No data received in 30s.")

        async with connected(behaviour) as (socket, reader):
            with pytest.raises(ExchangeUnavailable) as ended:
                await asyncio.wait_for(socket.run(), PATIENCE_S)

        assert "closed with 4004 No data" in str(ended.value)
        assert pings == ["ping"] * 3
        assert reader.frames[1:] == [b"pong"] * 3

    await steadily_awaited(is_kept, QUICK.pong_within_s / 2)


async def test_a_ping_without_an_answer_ends_the_socket():
    async def behaviour(connection: ServerConnection) -> None:
        await acknowledge(connection)
        await connection.wait_closed()

    async with connected(behaviour) as (socket, _):
        with pytest.raises(ExchangeUnavailable, match="no answer to a ping"):
            await asyncio.wait_for(socket.run(), PATIENCE_S)


async def test_a_busy_socket_is_never_pinged():
    asked = []
    clock = {"s": 0.0}

    async def behaviour(connection: ServerConnection) -> None:
        asked.append(await acknowledge(connection))
        for _ in range(40):
            await connection.send('{"event":"whatever"}')
            await asyncio.sleep(0.02)
            clock["s"] += 0.02
        with contextlib.suppress(TimeoutError):
            asked.append(await asyncio.wait_for(connection.recv(), 0.05))
        connection.transport.abort()

    async with connected(behaviour, monotonic=lambda: clock["s"]) as (socket, _):
        with pytest.raises(ExchangeUnavailable, match="closed without a frame"):
            await asyncio.wait_for(socket.run(), PATIENCE_S)

    assert len(asked) == 1


async def test_a_subscription_that_is_not_answered_is_repeated_and_then_given_up():
    asked = []

    async def behaviour(connection: ServerConnection) -> None:
        async for message in connection:
            if message == "ping":
                await connection.send("pong")
            else:
                asked.append(json.loads(message))

    async with connected(behaviour, replace(QUICK, pong_within_s=20.0)) as (socket, _):
        with pytest.raises(ExchangeUnavailable, match="1 subscriptions not answered"):
            await asyncio.wait_for(socket.run(), PATIENCE_S)

    arg = {"channel": "trades-all", "instId": "BTC-USDT"}
    assert asked == [{"op": "subscribe", "args": [arg]}] * 3
    assert not socket.is_ready


async def test_a_refused_channel_leaves_the_socket_ready_and_is_asked_for_again():
    seen = []

    async def behaviour(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(json.dumps(REFUSAL))
        await acknowledge(connection)
        await connection.recv()

    async with connected(behaviour) as (socket, _):
        running = asyncio.create_task(socket.run())
        await asyncio.wait_for(socket.ready.wait(), PATIENCE_S)
        seen.append(dict(socket.refused))
        await becomes(lambda: not socket.refused)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert seen == [{TRADES: "60018"}]


async def test_a_refused_channel_is_asked_for_again_however_often_others_are_renewed():
    asked: list[list[str]] = []

    async def behaviour(connection: ServerConnection) -> None:
        async for message in connection:
            args = json.loads(message)["args"]
            asked.append([arg["channel"] for arg in args])
            if asked.count(["trades-all"]) == 1:
                await connection.send(json.dumps(REFUSAL))
            elif asked[-1] == ["trades-all"]:
                await connection.send(json.dumps({"event": "subscribe", "arg": args[0]}))

    async with connected(behaviour, replace(QUICK, ping_after_s=20.0)) as (socket, _):
        running = asyncio.create_task(socket.run())
        await asyncio.wait_for(socket.ready.wait(), PATIENCE_S)
        async with asyncio.timeout(PATIENCE_S):
            while socket.refused:
                socket.remove({("candle1m", "BTC-USDT")})
                await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert asked.count(["trades-all"]) == 2
    assert asked.count(["candle1m"]) > 1


async def test_the_hours_requests_of_a_connection_are_not_exceeded(monkeypatch):
    monkeypatch.setattr("marketdata.collector.okx.websocket.REQUESTS_PER_HOUR", 2)

    async def behaviour(connection: ServerConnection) -> None:
        async for message in connection:
            if message == "ping":
                await connection.send("pong")

    async with connected(behaviour, replace(QUICK, pong_within_s=20.0)) as (socket, _):
        with pytest.raises(ExchangeUnavailable, match="subscriptions of this connection are spent"):
            await asyncio.wait_for(socket.run(), PATIENCE_S)


async def test_an_address_where_nobody_listens_is_unavailable():
    socket = OKXSocket(
        "ws://127.0.0.1:9/ws/v5/public",
        {TRADES},
        Reader().receive,
        is_full=lambda: False,
        drained=lambda: asyncio.sleep(0),
        settings=QUICK,
    )
    with pytest.raises(ExchangeUnavailable):
        await asyncio.wait_for(socket.run(), PATIENCE_S)


async def test_a_connection_is_counted_where_all_of_the_address_are():
    class Counting:
        asked: list[str] = []

        async def acquire(self, endpoint: str) -> None:
            self.asked.append(endpoint)

    limiter = Counting()
    socket = OKXSocket(
        "ws://127.0.0.1:9/ws/v5/public",
        {TRADES},
        Reader().receive,
        is_full=lambda: False,
        drained=lambda: asyncio.sleep(0),
        settings=QUICK,
        limiter=limiter,
    )
    with pytest.raises(ExchangeUnavailable):
        await asyncio.wait_for(socket.run(), PATIENCE_S)
    assert limiter.asked == ["connect"]
    assert RATES["connect"] == 3 * RATE_WINDOW_S


async def test_a_server_that_does_not_shake_hands_is_left_in_time():
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    socket = OKXSocket(
        f"ws://127.0.0.1:{port}/",
        {TRADES},
        Reader().receive,
        is_full=lambda: False,
        drained=lambda: asyncio.sleep(0),
        settings=replace(QUICK, connect_timeout_s=0.2),
    )
    with pytest.raises(ExchangeUnavailable, match="timed out"):
        await asyncio.wait_for(socket.run(), PATIENCE_S)
    server.close()


async def test_reading_stops_while_there_is_no_room_and_goes_on_afterwards():
    async def behaviour(connection: ServerConnection) -> None:
        await acknowledge(connection)
        for number in range(20):
            await connection.send(json.dumps({"event": str(number)}))
        await connection.wait_closed()

    room = asyncio.Event()
    async with connected(behaviour) as (socket, reader):
        socket._is_full, socket._drained = lambda: not room.is_set(), room.wait
        running = asyncio.create_task(socket.run())
        await asyncio.sleep(0.9)
        assert (len(reader.frames), running.done()) == (1, False), "no ping was held against it"
        room.set()
        await becomes(lambda: len(reader.frames) == 21)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_flooded_socket_is_closed_within_a_second():
    async def behaviour(connection: ServerConnection) -> None:
        await acknowledge(connection)
        with contextlib.suppress(Exception):
            while True:
                await connection.send("x" * 10_000)

    async def is_closed() -> None:
        async with connected(behaviour) as (socket, _):
            running = asyncio.create_task(socket.run())
            await asyncio.wait_for(socket.ready.wait(), PATIENCE_S)
            loop = asyncio.get_running_loop()
            cancelled_s = loop.time()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

            assert loop.time() - cancelled_s < 1

    await steadily_awaited(is_closed, 0.3)


async def test_subscriptions_are_few_requests_below_the_limit_on_their_size():
    channels = {("trades-all", f"COIN{number}-USDT") for number in range(3_000)}
    sent = list(requests(SUBSCRIBE, channels))
    args = [arg for request in sent for arg in json.loads(request)["args"]]

    assert len(sent) == 3
    assert all(len(request) < 64 * 1024 for request in sent)
    assert {(arg["channel"], arg["instId"]) for arg in args} == channels
    assert len(args) == len(channels)
