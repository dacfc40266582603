"""What is kept of an exchange's messages as they came, against the simulated exchange."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace
from decimal import Decimal

import pytest
from websockets.asyncio.server import serve

from marketdata.collector.clock import ExchangeClock
from marketdata.collector.complaints import Complaints
from marketdata.collector.errors import ExchangeUnavailable
from marketdata.collector.okx.collector import OKXCollector
from marketdata.collector.okx.constants import Endpoints
from marketdata.collector.okx.keeping import keep
from marketdata.collector.okx.parsing import parse
from marketdata.collector.okx.private import Login, PrivateSocket, login_request
from marketdata.collector.okx.websocket import requests
from marketdata.collector.ports import Credential
from marketdata.collector.recording import Tap
from marketdata.domain.raw import RawChannel
from marketdata.domain.records import InstrumentSpec
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.simulator.config import Credentials
from marketdata.simulator.faults import Fault, FaultKind
from tests.marketdata.collector.collection import QUICK, endpoints, history, specs
from tests.marketdata.collector.memory import MemorySink, Screen
from tests.patience import PATIENCE_S, becomes, steadily_awaited
from tests.simulated_exchange import START_MS, running_exchange

ALL = dict.fromkeys(RawChannel, 0.0)
SIMULATED = Credentials()
READER = Credential(SIMULATED.api_key, SIMULATED.secret, SIMULATED.passphrase)


class Memory:
    """Implements Recorder by remembering everything."""

    def __init__(self):
        self.messages = []
        self.is_closed = False

    def record(self, message):
        self.messages.append(message)

    def health(self):
        return {"kept": len(self.messages)}

    def close(self):
        self.is_closed = True

    def of(self, channel):
        return [one for one in self.messages if one.channel is channel]

    def payloads(self, channel):
        return [json.loads(one.payload) for one in self.of(channel)]


@contextlib.asynccontextmanager
async def recording(tmp_path, **options):
    """Collect from an exchange of its own; yield what is kept and the collector."""
    async with (
        running_exchange(tmp_path, speed=30) as exchange,
        recording_from(exchange, **options) as (memory, collector),
    ):
        yield memory, collector


@contextlib.asynccontextmanager
async def recording_from(
    exchange, *, every_s=ALL, credential=None, symbols=("BTC-USDT",), rest=None
):
    """Collect with a recorder; `rest` is asked in the exchange's place for what is no history."""
    memory, stop = Memory(), asyncio.Event()
    instruments = await specs(exchange, *symbols)
    past, places = history(exchange), endpoints(exchange)
    collector = OKXCollector(
        instruments=instruments,
        sink=MemorySink(instruments),
        publisher=Screen(),
        endpoints=replace(
            places, rest=rest or places.rest, private=f"{exchange.websocket_url}/private"
        ),
        history=past,
        settings=QUICK,
        recorder=memory,
        raw_every_s=every_s,
        credential=credential,
    )
    running = asyncio.create_task(collector.run(stop))
    try:
        yield memory, collector
    finally:
        stop.set()
        await asyncio.wait_for(running, PATIENCE_S)
        await past.close()


def tap(memory, every_s=ALL, now_ms=START_MS):
    clock = ExchangeClock()
    clock.anchor(now_ms)
    clock.advance(now_ms)
    return Tap(memory, every_s, clock, Complaints(60.0), wall_ms=lambda: 5), clock


# ------------------------------------------------------------------ with the exchange
@pytest.mark.slow
@pytest.mark.asyncio
async def test_every_public_channel_is_kept_as_the_exchange_wrote_it(tmp_path):
    wanted = set(RawChannel) - {RawChannel.BALANCES, RawChannel.INSTRUMENTS}
    async with recording(tmp_path, symbols=("BTC-USDT", "BTC-USDT-SWAP")) as (memory, collector):
        await becomes(lambda: {one.channel for one in memory.messages} >= wanted)
        await becomes(lambda: {one.symbol for one in memory.of(RawChannel.BOOKS)} > {"BTC-USDT"})
        assert collector.health()["refused"] == {}
        assert collector.health()["raw"]["kept"] > 0
    ticker = memory.payloads(RawChannel.TICKERS)[0]
    assert {"last", "bidPx", "askPx", "vol24h"} <= set(ticker)
    book = memory.payloads(RawChannel.BOOKS)[0]
    assert len(book["bids"]) == len(book["asks"]) == 5
    assert len(memory.payloads(RawChannel.CANDLES)[0]) == 9
    (status,) = memory.of(RawChannel.STATUS)
    assert status.symbol is None
    assert json.loads(status.payload)["state"] == "completed"
    # A week before: the latest maintenance is told at once, whenever it was.
    assert status.exchange_ms < START_MS - 6 * 86_400_000
    assert memory.is_closed


@pytest.mark.slow
@pytest.mark.asyncio
async def test_the_silence_of_books_is_watched_where_they_are_kept(tmp_path):
    async with (
        running_exchange(tmp_path, speed=30) as exchange,
        recording_from(exchange) as (_, collector),
    ):
        books = lambda: collector.channel_health()["BTC-USDT"]["channels"]["books5"]  # noqa: E731
        await becomes(lambda: collector.health()["is_live"] and books()["state"] == "live")
        activity = collector.pipeline.lanes["BTC-USDT"].activity
        await becomes(lambda: activity.books)
        silence = Fault(kind=FaultKind.SILENCE, channel="books5", seconds=600.0)
        exchange.faults.add([silence])
        await becomes(
            lambda: "silent channels: books5 BTC-USDT" in collector.health()["last_error"]
        )
        exchange.faults.clear()
        heard, traded = activity.books, activity.trades
        await becomes(lambda: activity.books > heard)
        await becomes(lambda: books()["state"] == "live")
        assert activity.trades > traded
        assert collector.health()["reconnects"] == 0, "one channel was subscribed anew"


ANNOUNCED = {
    "title": "Upgrade of spot trading",
    "state": "scheduled",
    "begin": str(START_MS + 86_400_000),
    "end": str(START_MS + 90_000_000),
    "serviceType": "5",
    "ts": str(START_MS - 3_600_000),
}


@contextlib.asynccontextmanager
async def announcing(*rows):
    """Run a REST that knows nothing but the status of its system; give its address."""

    def answer(connection, request):
        assert request.path == "/api/v5/system/status", "only what lies ahead is asked for"
        return connection.respond(200, json.dumps({"code": "0", "msg": "", "data": rows}))

    async with serve(None, "127.0.0.1", 0, process_request=answer) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.asyncio
async def test_what_was_announced_before_the_start_is_kept_too(tmp_path):
    every_s = {RawChannel.STATUS: 0.0}
    async with announcing(ANNOUNCED) as rest:
        async with recording(tmp_path, every_s=every_s, rest=rest) as (memory, collector):
            await becomes(lambda: len(memory.of(RawChannel.STATUS)) == 2)
            assert collector.health()["bad"] == 0
        states = {json.loads(one.payload)["state"]: one for one in memory.messages}
    assert json.loads(states["scheduled"].payload) == ANNOUNCED
    assert states["scheduled"].exchange_ms == START_MS - 3_600_000
    assert set(states) == {"scheduled", "completed"}, "of what is over the socket tells"


@pytest.mark.asyncio
async def test_where_nobody_keeps_the_status_it_is_not_asked_for(tmp_path):
    async with recording(tmp_path, every_s={}, rest="http://127.0.0.1:9") as (memory, collector):
        await becomes(lambda: collector.health()["stored_trades"] > 0)
        assert "announcements" not in collector.health()["last_error"]
    assert memory.messages == []


@pytest.mark.slow
@pytest.mark.asyncio
async def test_one_message_of_an_instrument_is_kept_in_each_stretch_of_exchange_time(
    tmp_path_factory,
):
    every_s = {RawChannel.TICKERS: 10.0, RawChannel.BOOKS: 20.0}

    async def is_kept():
        folder = tmp_path_factory.mktemp("exchange")
        async with recording(folder, every_s=every_s) as (memory, collector):
            await becomes(lambda: collector.pipeline.clock.now_ms > START_MS + 90_000)
        span_s = (collector.pipeline.clock.now_ms - START_MS) / 1000
        assert 5 <= len(memory.of(RawChannel.TICKERS)) <= span_s / 10 + 2
        assert 3 <= len(memory.of(RawChannel.BOOKS)) <= span_s / 20 + 2
        assert {one.channel for one in memory.messages} == {RawChannel.TICKERS, RawChannel.BOOKS}

    await steadily_awaited(is_kept, 0.5)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_the_balances_of_the_account_come_over_the_private_socket(tmp_path):
    async with recording(tmp_path, credential=READER) as (memory, collector):
        await becomes(lambda: len(memory.of(RawChannel.BALANCES)) >= 2)
        assert collector.health()["connected"]["private"]
        assert collector.health()["common"] == {
            "account": {"state": "live", "feed": "private"},
            "instruments SPOT": {"state": "live", "feed": "public"},
            "instruments SWAP": {"state": "live", "feed": "public"},
            "status": {"state": "live", "feed": "public"},
        }
    first = memory.of(RawChannel.BALANCES)[0]
    assert (first.symbol, first.exchange_ms >= START_MS) == (None, True)
    assert json.loads(first.payload)["details"][0]["ccy"] == "USDT"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"api_key": "x"}, "60005"), ({"secret": "x"}, "60007"), ({"passphrase": "x"}, "60024")],
)
async def test_a_refused_login_is_told_and_trades_come_all_the_same(tmp_path, wrong, code, caplog):
    async with recording(tmp_path, credential=replace(READER, **wrong)) as (memory, collector):
        await becomes(lambda: f"login refused with {code}" in collector.health()["last_error"])
        await becomes(lambda: collector.health()["stored_trades"] > 0)
        assert not collector.health()["connected"]["private"]
        assert code in collector.health()["login_refused"]
        assert collector.feeds["private"].connections <= 2, "the second one waits for an hour"
        assert collector.health()["common"]["account"]["state"] == "connecting"
        assert collector.health()["common"]["status"]["state"] == "live"
        assert not memory.of(RawChannel.BALANCES)
        told = json.dumps(collector.health())
    for secret in (SIMULATED.api_key, SIMULATED.secret, SIMULATED.passphrase):
        assert secret not in told
        assert secret not in caplog.text


@pytest.mark.asyncio
async def test_without_channels_to_keep_nothing_more_is_subscribed(tmp_path):
    async with recording(tmp_path, every_s={}, credential=READER) as (memory, collector):
        await becomes(lambda: collector.health()["stored_trades"] > 0)
        assert collector.health()["channels"] == {"public": 1, "business": 2}
    assert memory.messages == []


# ------------------------------------------------------------------ frame by frame
def test_a_closed_candle_is_kept_whenever_it_comes_and_a_running_one_now_and_then():
    memory = Memory()
    tapped, clock = tap(memory, {RawChannel.CANDLES: 60.0})
    for second in range(120):
        clock.advance(START_MS + second * 1_000)
        confirm = "1" if second == 63 else "0"
        row = [str(START_MS), *"1111111", confirm]
        argument = {"channel": "candle1m", "instId": "BTC-USDT"}
        frame = json.dumps({"arg": argument, "data": [row]}).encode()
        assert keep(tapped, parse(frame), frame)
    kept = [(one.exchange_ms - START_MS, json.loads(one.payload)[-1]) for one in memory.messages]
    assert kept == [(0, "0"), (60_000, "0"), (63_000, "1")]


def test_a_change_of_an_instrument_is_kept_with_the_instrument_it_is_about():
    memory = Memory()
    tapped, _ = tap(memory)
    frame = (
        b'{"arg":{"channel":"instruments","instType":"SPOT"},"data":[{"instId":"BTC-USDT",'
        b'"tickSz":"0.01","state":"live"},{"instId":"ETH-USDT","state":"suspend"}]}'
    )
    assert keep(tapped, parse(frame), frame)
    assert [(one.symbol, one.exchange_ms) for one in memory.of(RawChannel.INSTRUMENTS)] == [
        ("BTC-USDT", START_MS),
        ("ETH-USDT", START_MS),
    ]
    assert memory.payloads(RawChannel.INSTRUMENTS)[0]["tickSz"] == "0.01"


@pytest.mark.parametrize("stamp", ['"x"', "{}", '"1e3"'])
def test_a_row_that_cannot_be_read_is_a_complaint_and_no_crash(stamp):
    memory = Memory()
    tapped, _ = tap(memory)
    frame = b'{"arg":{"channel":"status"},"data":[{"ts":%s}]}' % stamp.encode()
    assert not keep(tapped, parse(frame), frame)
    assert memory.messages == []


def test_a_message_from_the_far_future_makes_no_table_of_its_own():
    memory = Memory()
    tapped, _ = tap(memory)
    frame = b'{"arg":{"channel":"status"},"data":[{"ts":"%d"}]}' % (START_MS + 400 * 86_400_000)
    assert keep(tapped, parse(frame), frame)
    assert memory.messages == []


def test_trades_are_never_kept_twice():
    memory = Memory()
    tapped, _ = tap(memory)
    frame = (
        b'{"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT",'
        b'"tradeId":"1","px":"1","sz":"1","side":"buy","ts":"%d"}]}' % (START_MS + MINUTE_MS)
    )
    assert keep(tapped, parse(frame), frame)
    assert memory.messages == []


def test_channels_name_what_they_are_about_as_okx_wants_it():
    (request,) = requests(
        "subscribe",
        {("books5", "BTC-USDT"), ("status", ""), ("instruments", "SPOT"), ("account", "")},
    )
    assert json.loads(request)["args"] == [
        {"channel": "account"},
        {"channel": "books5", "instId": "BTC-USDT"},
        {"channel": "instruments", "instType": "SPOT"},
        {"channel": "status"},
    ]


def test_a_credential_shows_nothing_and_the_login_is_signed():
    assert "simulated" not in repr(READER)
    argument = json.loads(login_request(Credential("k", "s", "p"), 1538054050))["args"][0]
    assert argument == {
        "apiKey": "k",
        "passphrase": "p",
        "timestamp": "1538054050",
        "sign": "4wFKSrXaG6EYOdbv/KEKJIOMEzKwShv8qgkR1OcPdvE=",
    }


def test_a_subscription_dropped_for_too_many_connections_counts_as_refused():
    nothing = {"is_full": lambda: False, "drained": None, "settings": QUICK}
    socket = PrivateSocket(Login(READER), "ws://127.0.0.1:9", {("account", "")}, print, **nothing)
    socket.acknowledged(("account", ""))
    said = parse(b'{"event":"channel-conn-count-error","channel":"account","connCount":"30"}')
    socket.take(said)
    assert socket.refused == {("account", ""): "channel-conn-count-error"}


@pytest.mark.asyncio
async def test_a_refusal_that_repeats_the_login_gives_no_secret_away(caplog):
    async def behaviour(connection):
        request = await connection.recv()
        echo = {"event": "error", "code": "60012", "msg": f"Invalid request: {request}"}
        await connection.send(json.dumps(echo))
        await connection.wait_closed()

    async with serve(behaviour, "127.0.0.1", 0, ping_interval=None, close_timeout=0.1) as server:
        port = server.sockets[0].getsockname()[1]
        instruments = [InstrumentSpec("BTC-USDT", Decimal("0.1"), Decimal("0.1"))]
        collector = OKXCollector(
            instruments=instruments,
            sink=MemorySink(instruments),
            publisher=Screen(),
            endpoints=Endpoints(
                rest="http://127.0.0.1:9", private=f"ws://127.0.0.1:{port}/ws/v5/private"
            ),
            settings=QUICK,
            raw_every_s=ALL,
            credential=replace(READER, api_key="key-7f3a91", passphrase="open sesame 42"),
        )
        socket = collector.open_socket("private", frozenset({("account", "")}))
        with pytest.raises(ExchangeUnavailable) as refused:
            await asyncio.wait_for(socket.run(), PATIENCE_S)
        await collector.closing()
    assert str(refused.value) == "login refused with 60012 Invalid request:"
    for secret in ("key-7f3a91", "open sesame 42", "simulated-secret"):
        assert secret not in caplog.text
