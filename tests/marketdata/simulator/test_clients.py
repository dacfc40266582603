"""Other people's clients, unmodified but for the address."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Iterator

import ccxt
import ccxt.pro
import httpx
import pytest
from okx.MarketData import MarketAPI
from okx.PublicData import PublicAPI
from okx.Status import StatusAPI
from okx.websocket.WsPublicAsync import WsPublicAsync

from tests.simulated_exchange import START_MS, SpawnedExchange, spawned_exchange

pytestmark = pytest.mark.timeout(60)
HOUR = 3_600_000


@pytest.fixture(scope="module")
def exchange(tmp_path_factory) -> Iterator[SpawnedExchange]:
    options = ("--speed", "20", "--tls-port", "0")
    with spawned_exchange(tmp_path_factory.mktemp("clients"), *options) as spawned:
        yield spawned


def settings(exchange: SpawnedExchange) -> dict[str, object]:
    return {"urls": {"api": {"rest": exchange.rest, "ws": exchange.websocket}}}


@pytest.fixture
def client(exchange) -> Iterator[ccxt.okx]:
    client = ccxt.okx({**settings(exchange), "enableRateLimit": False})
    client.load_markets()
    yield client
    client.session.close()


def test_ccxt_loads_spot_and_swap_markets(client):
    spot, linear, inverse = (
        client.market(name) for name in ("BTC/USDT", "BTC/USDT:USDT", "BTC/USD:BTC")
    )

    assert (spot["spot"], spot["precision"]["price"]) == (True, 0.1)
    assert (linear["linear"], linear["contractSize"]) == (True, 0.01)
    assert (inverse["inverse"], inverse["contractSize"]) == (True, 100.0)


def test_ccxt_reads_time_tickers_books_and_status(client):
    assert client.fetch_time() >= START_MS
    ticker = client.fetch_ticker("ETH/USDT")
    assert ticker["bid"] < ticker["ask"]
    assert set(client.fetch_tickers()) >= {"BTC/USDT", "LTC/USDT"}
    book = client.fetch_order_book("SOL/USDT", 50)
    assert len(book["bids"]) == len(book["asks"]) == 50
    assert client.fetch_status()["status"] == "ok"


def test_ccxt_pages_candles_forward_through_history(client):
    since = START_MS - 400 * HOUR
    rows = []
    while since < START_MS - 100 * HOUR:
        page = client.fetch_ohlcv("BTC/USDT", "1h", since=since, limit=100)
        rows += page
        since = page[-1][0] + HOUR

    assert [row[0] for row in rows] == list(range(START_MS - 400 * HOUR, since, HOUR))


def test_ccxt_reads_days_in_utc(client):
    rows = client.fetch_ohlcv("LTC/USDT", "1d", limit=5)

    assert all(row[0] % (24 * HOUR) == 0 for row in rows)


def test_ccxt_reads_trades(client):
    trades = client.fetch_trades("BTC/USDT", limit=50)

    ids = [int(trade["id"]) for trade in trades]
    assert ids == list(range(ids[0], ids[0] + 50))


def test_ccxt_pro_watches_trades_candles_tickers_and_books(exchange):
    async def watch() -> None:
        client = ccxt.pro.okx({**settings(exchange), "enableRateLimit": False})
        try:
            await client.load_markets()
            seen: set[int] = set()
            while len(seen) < 5:
                seen |= {int(trade["id"]) for trade in await client.watch_trades("BTC/USDT")}
            candles = await client.watch_ohlcv("BTC/USDT", "1m")
            assert candles[-1][0] >= START_MS
            assert (await client.watch_ticker("ETH/USDT"))["last"] > 0
            for _ in range(10):
                book = await client.watch_order_book("BTC/USDT")
            assert book["bids"][0][0] < book["asks"][0][0]
            assert len(book["bids"]) == 400
        finally:
            await client.close()

    with warnings.catch_warnings():
        # ccxt leaves its own sessions to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(watch())


def test_python_okx_reads_over_rest(exchange):
    public = PublicAPI(flag="0", domain=exchange.rest, debug=False)
    market = MarketAPI(flag="0", domain=exchange.rest, debug=False)
    status = StatusAPI(flag="0", domain=exchange.rest, debug=False)
    with public, market, status:
        assert public.get_instruments(instType="SWAP")["data"][0]["ctVal"] == "0.01"
        assert int(public.get_system_time()["data"][0]["ts"]) >= START_MS
        assert len(market.get_history_candlesticks("BTC-USDT", limit="5")["data"]) == 5
        assert len(market.get_candlesticks("BTC-USDT", bar="1H", limit="5")["data"]) == 5
        assert len(market.get_history_trades("BTC-USDT", limit="5")["data"]) == 5
        assert len(market.get_trades("BTC-USDT", limit="5")["data"]) == 5
        assert len(market.get_orderbook("BTC-USDT", sz="5")["data"][0]["asks"]) == 5
        assert market.get_ticker("BTC-USDT")["data"][0]["instId"] == "BTC-USDT"
        assert len(market.get_tickers("SPOT")["data"]) == 6
        assert status.status()["data"] == []


def test_python_okx_listens_over_tls(exchange, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(exchange.ca_file))

    async def listen() -> list[dict[str, object]]:
        frames: list[dict[str, object]] = []
        enough = asyncio.Event()

        def keep(message: str) -> None:
            frames.append(json.loads(message))
            if len(frames) >= 6:
                enough.set()

        client = WsPublicAsync(url=f"{exchange.tls_websocket}/business")
        await client.connect()
        consumer = asyncio.create_task(client.consume())
        arguments = [{"channel": name, "instId": "BTC-USDT"} for name in ("trades-all", "candle1m")]
        await client.subscribe(arguments, keep, id="a1")
        await asyncio.wait_for(enough.wait(), 20)
        await client.factory.close()
        await consumer
        return frames

    frames = asyncio.run(listen())
    assert [frame["id"] for frame in frames if "event" in frame] == ["a1", "a1"]
    assert any("data" in frame for frame in frames)


def test_rest_is_served_over_tls_with_the_exchanges_own_authority(exchange):
    import ssl

    trusted = ssl.create_default_context(cafile=exchange.ca_file)
    trusted.verify_flags |= ssl.VERIFY_X509_STRICT
    for host in ("127.0.0.1", "localhost"):
        address = str(exchange.tls_rest).replace("127.0.0.1", host)
        answer = httpx.get(f"{address}/api/v5/public/time", verify=trusted)
        assert answer.json()["code"] == "0"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{exchange.tls_rest}/api/v5/public/time")
