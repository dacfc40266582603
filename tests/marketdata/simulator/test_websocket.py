"""WebSocket requests: acks, errors, pings, limits."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus

from marketdata.simulator.config import NO_LIMITS, Config, Credentials, Limits
from marketdata.simulator.exchange import SimulatedExchange
from marketdata.simulator.sessions import Session
from tests.simulated_exchange import START_MS, listening, pushed, reaches, running_exchange, topic

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def still(tmp_path):
    """An exchange whose clock stands still."""
    async with running_exchange(tmp_path, speed=0.0) as exchange:
        yield exchange


async def error(socket, request) -> tuple[str, str]:
    await socket.send(request)
    frame = await socket.next()
    assert frame["event"] == "error"
    return frame["code"], frame["msg"]


async def test_each_argument_is_acknowledged_in_order_with_the_requests_id(still):
    async with listening(f"{still.websocket_url}/business") as socket:
        await socket.subscribe(topic("trades-all"), topic("trades-all", "ETH-USDT"), id="a1")
        acks = [await socket.next(), await socket.next()]

    assert [ack["arg"] for ack in acks] == [topic("trades-all"), topic("trades-all", "ETH-USDT")]
    assert {(ack["event"], ack["id"]) for ack in acks} == {("subscribe", "a1")}
    assert len({ack["connId"] for ack in acks}) == 1
    assert len(acks[0]["connId"]) == 8


async def test_a_repeated_subscription_is_acknowledged_but_pushes_nothing_again(still):
    async with listening(f"{still.websocket_url}/public") as socket:
        await socket.subscribe(topic("books"))
        await socket.rows("books", 1)
        await socket.subscribe(topic("books"))
        await socket.send("ping")

        assert (await socket.next())["event"] == "subscribe"
        assert await socket.next() == "pong"


async def test_the_first_push_of_trades_is_the_last_past_trade(still):
    async with listening(f"{still.websocket_url}/public") as socket:
        await socket.subscribe(topic("trades", "LTC-USDT"))
        (row,) = await socket.rows("trades", 1)

    assert int(row["ts"]) <= still.clock.now_ms
    assert int(row["tradeId"]) == still.market.last_id("LTC-USDT", still.clock.now_ms)


async def test_a_ping_is_answered_with_a_bare_pong(still):
    async with listening(f"{still.websocket_url}/public") as socket:
        await socket.send("ping")

        assert await socket.next() == "pong"


async def test_wrong_requests_are_answered_with_the_exchanges_codes(still):
    async with listening(f"{still.websocket_url}/public") as socket:
        assert (await error(socket, '{"op":"subscribe",'))[0] == "60012"
        assert (await error(socket, {"op": "ping"}))[0] == "60012"
        assert (await error(socket, {"op": "jump", "args": [{}]}))[0] == "60019"
        assert (await error(socket, {"op": "subscribe", "args": []}))[0] == "60013"
        assert (await error(socket, {"op": "subscribe", "args": ["x"]}))[0] == "60013"
        assert await error(socket, {"id": "a-b", "op": "subscribe", "args": [topic("trades")]}) == (
            "60033",
            "Parameter id error",
        )
        assert await error(socket, {"op": "subscribe", "args": [topic("books-l2-tbt")]}) == (
            "60011",
            "Please log in",
        )


async def test_a_channel_of_another_path_and_an_unknown_instrument_do_not_exist(still):
    async with listening(f"{still.websocket_url}/public") as socket:
        for wrong in (topic("candle1m"), topic("trades-all"), topic("tickers", "NO-SUCH")):
            code, message = await error(socket, {"op": "subscribe", "args": [wrong]})
            assert code == "60018"
            assert f"channel:{wrong['channel']},instId:{wrong['instId']} doesn't exist" in message
        assert message.startswith("Wrong URL or channel:tickers,instId:NO-SUCH doesn't exist.")


async def test_one_bad_argument_leaves_the_others_of_a_request_alone(still):
    async with listening(f"{still.websocket_url}/public") as socket:
        await socket.subscribe(topic("candle1m"), topic("tickers"))

        assert (await socket.next())["code"] == "60018"
        assert (await socket.next())["event"] == "subscribe"
        assert pushed(await socket.next(), "tickers")


async def test_nothing_comes_after_an_unsubscription(tmp_path):
    async with (
        running_exchange(tmp_path, speed=20.0) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        await socket.subscribe(topic("trades-all"))
        await socket.rows("trades-all", 2)
        await socket.send({"op": "unsubscribe", "args": [topic("trades-all")]})
        await socket.until(lambda frame: frame.get("event") == "unsubscribe")
        await reaches(exchange, exchange.clock.now_ms + 10_000)
        await socket.send("ping")

        assert await socket.next() == "pong"


async def test_a_silent_connection_is_closed_with_4004(tmp_path):
    limits = Limits(idle_close_s=0.3)
    async with (
        running_exchange(tmp_path, speed=0.0, limits=limits) as exchange,
        listening(f"{exchange.websocket_url}/public") as socket,
    ):
        for _ in range(3):
            await asyncio.sleep(0.15)
            await socket.send("ping")
            assert await socket.next() == "pong"
        with pytest.raises(ConnectionClosed) as closed:
            await socket.next()

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4004, "No data received in 30s.")


async def test_a_fourth_connection_within_a_second_is_refused(tmp_path):
    async with running_exchange(tmp_path, limits=Limits()) as exchange:
        address = f"{exchange.websocket_url}/public"
        async with listening(address), listening(address), listening(address):
            with pytest.raises(InvalidStatus) as refused:
                async with listening(address):
                    pass

    assert refused.value.response.status_code == 429


async def test_more_requests_than_an_hour_allows_are_refused(tmp_path):
    limits = Limits(requests_per_hour=2)
    async with (
        running_exchange(tmp_path, speed=0.0, limits=limits) as exchange,
        listening(f"{exchange.websocket_url}/business") as socket,
    ):
        for _ in range(2):
            await socket.subscribe(topic("trades-all"), topic("trades-all", "ETH-USDT"))
            assert (await socket.next())["event"] == "subscribe"
            assert (await socket.next())["event"] == "subscribe"

        assert (await error(socket, {"op": "subscribe", "args": [topic("trades-all")]}))[
            0
        ] == "60014"


async def test_a_request_of_more_than_64_kb_closes_the_connection(still):
    async with listening(f"{still.websocket_url}/public") as socket:
        await socket.subscribe(*[topic("tickers")] * 2000)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.next()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_the_account_channel_needs_a_login(still):
    async with listening(f"{still.websocket_url}/private") as socket:
        assert (await error(socket, {"op": "subscribe", "args": [{"channel": "account"}]}))[
            0
        ] == "60011"
        await socket.send({"op": "login", "args": [login()]})
        assert (await socket.next())["event"] == "login"
        await socket.subscribe({"channel": "account"})

        assert (await socket.next())["event"] == "subscribe"
        count = await socket.next()
        assert (count["event"], count["connCount"]) == ("channel-conn-count", "1")
        balance = (await socket.rows("account", 1))[0]
        assert balance["details"][0]["ccy"] == "USDT"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"apiKey": "other"}, "60005"),
        ({"timestamp": "1"}, "60006"),
        ({"timestamp": "soon"}, "60004"),
        ({"sign": "forged"}, "60007"),
        ({"passphrase": "other"}, "60024"),
    ],
)
async def test_a_login_that_is_wrong_says_how(still, wrong, code):
    async with listening(f"{still.websocket_url}/private") as socket:
        assert (await error(socket, {"op": "login", "args": [{**login(), **wrong}]}))[0] == code


def login() -> dict[str, str]:
    known, now = Credentials(), str(int(time.time()))
    message = f"{now}GET/users/self/verify".encode()
    digest = hmac.new(known.secret.encode(), message, hashlib.sha256).digest()
    return {
        "apiKey": known.api_key,
        "passphrase": known.passphrase,
        "timestamp": now,
        "sign": base64.b64encode(digest).decode(),
    }


async def test_compression_is_used_when_it_is_offered_and_asked_for(tmp_path):
    from websockets.asyncio.client import connect

    async with (
        running_exchange(tmp_path, speed=0.0, compress=True) as exchange,
        connect(f"{exchange.websocket_url}/public") as socket,
    ):
        await socket.send(json.dumps({"op": "subscribe", "args": [topic("tickers")]}))

        assert json.loads(await socket.recv())["event"] == "subscribe"
        assert pushed(json.loads(await socket.recv()), "tickers")
        assert "permessage-deflate" in socket.response.headers["Sec-WebSocket-Extensions"]


class Remembered:
    """A socket that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.unsent_bytes = 0
        self.is_mute = False

    def send(self, messages: list[bytes], frames: bytes) -> None:
        self.messages += messages


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
arguments = anything | st.fixed_dictionaries(
    {"channel": st.sampled_from(["trades", "books", "status", "instruments"]) | anything},
    optional={"instId": st.just("BTC-USDT") | anything, "instType": anything},
)
requests = st.fixed_dictionaries(
    {"op": st.sampled_from(["subscribe", "unsubscribe", "login"]) | anything},
    optional={"args": st.lists(arguments, max_size=3) | anything, "id": anything},
)


@pytest.fixture
def unserved(tmp_path):
    """An exchange that does not listen."""
    return SimulatedExchange(Config(state=tmp_path, start_ms=START_MS, limits=NO_LIMITS))


@settings(
    max_examples=80,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=st.text(max_size=40) | (requests | anything).map(json.dumps))
async def test_whatever_a_client_sends_is_answered_or_refused(unserved, text):
    socket = Remembered()
    session = Session("public", socket, unserved.around)
    session.receive(text)

    frames = [json.loads(message) for message in socket.messages if message != b"pong"]
    assert all("event" in frame or "data" in frame for frame in frames)
    assert text == "ping" or frames
