"""REST history against a server that answers what the test tells it to."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from urllib.parse import parse_qsl, urlsplit

import pytest

from marketdata.collector.errors import ExchangeRefused, ExchangeUnavailable
from marketdata.collector.okx.constants import Endpoints
from marketdata.collector.okx.rest import OKXHistory
from marketdata.collector.paging import candles_back, trades_back
from marketdata.domain.records import UNKNOWN, Source
from tests.marketdata.collector.collection import NoLimits
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.asyncio

Query = dict[str, str]
Answer = tuple[int, object]


class Server:
    """Answers each request by the next of `answers`, the last one for ever."""

    def __init__(self, *answers: Answer | Callable[[Query], Answer]) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, Query]] = []
        self.headers: dict[str, str] = {}
        self.connections: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections.add(task)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                url = urlsplit(head.split(" ")[1])
                query = dict(parse_qsl(url.query))
                self.requests.append((url.path, query))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                status, body = answer(query) if callable(answer) else answer
                text = body if isinstance(body, bytes) else json.dumps(body).encode()
                headers = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
                length = f"Content-Length: {len(text)}\r\n"
                writer.write(f"HTTP/1.1 {status} X\r\n{length}{headers}\r\n".encode() + text)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def answering(
    *answers: Answer | Callable[[Query], Answer],
) -> AsyncIterator[tuple[Server, OKXHistory]]:
    server = Server(*answers)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    rest = OKXHistory(
        Endpoints(rest=f"http://127.0.0.1:{port}"),
        NoLimits(),
        attempts=4,
        backoff_base_s=0.001,
        backoff_cap_s=0.01,
    )
    try:
        yield server, rest
    finally:
        await rest.close()
        listening.close()
        await asyncio.wait_for(asyncio.gather(*server.connections), PATIENCE_S)


def good(*rows: object) -> Answer:
    return 200, {"code": "0", "msg": "", "data": list(rows)}


def trade(number: int, **changed: str) -> dict[str, str]:
    row = {"tradeId": str(number), "px": "10.5", "sz": "2", "side": "buy", "ts": str(1000 * number)}
    return {"instId": "BTC-USDT", **row, **changed}


def candle(
    minute: int, confirm: str = "1", volumes: tuple[str, str, str] = ("2", "20", "20")
) -> list[str]:
    return [str(60_000 * minute), "10", "12", "9", "11", *volumes, confirm]


async def test_pages_of_trades_come_ascending_whatever_order_they_were_sent_in():
    async with answering(good(trade(3), trade(2), trade(4), trade(2))) as (server, rest):
        trades = await rest.trades_before("BTC-USDT", 5)

    assert trades["trade_id"].tolist() == [2, 3, 4]
    assert trades[0].tolist() == (2, 2000, 10.5, 2.0, 1, 1)
    query = {"instId": "BTC-USDT", "type": "1", "after": "5", "limit": "100"}
    assert server.requests == [("/api/v5/market/history-trades", query)]


async def test_the_newest_trades_are_asked_for_without_an_id():
    async with answering(good(trade(3))) as (server, rest):
        await rest.trades_before("BTC-USDT", None)

    assert server.requests[0] == ("/api/v5/market/trades", {"instId": "BTC-USDT", "limit": "500"})


async def test_trades_that_are_not_older_than_asked_for_are_left_out():
    async with answering(good(trade(5), trade(4))) as (_, rest):
        assert (await rest.trades_before("BTC-USDT", 5))["trade_id"].tolist() == [4]


async def test_trades_before_a_time_are_paged_by_time_and_end_before_it():
    async with answering(good(trade(7), trade(6), trade(5))) as (server, rest):
        trades = await rest.trades_until("BTC-USDT", 7_000)
        assert trades["trade_id"].tolist() == [5, 6]
        assert server.requests == [
            (
                "/api/v5/market/history-trades",
                {"instId": "BTC-USDT", "type": "2", "after": "7000", "limit": "100"},
            )
        ]


async def test_candles_come_ascending_closed_and_whole():
    running = candle(12, confirm="0")
    rows = good(running, candle(11), candle(10, volumes=("0", "0", "0")))
    async with answering(rows) as (_, rest):
        candles = await rest.candles_before("BTC-USDT", None)

    assert candles["open_time_ms"].tolist() == [600_000, 660_000]
    assert candles[1].tolist() == (
        *(660_000, 10.0, 12.0, 9.0, 11.0, 2.0, 20.0),
        *(UNKNOWN, UNKNOWN, UNKNOWN, 1, Source.EXCHANGE, 720_000, 0),
    )
    assert candles["trade_count"].tolist() == [0, UNKNOWN]


async def test_swaps_are_counted_in_base_currency():
    async with answering(good(candle(10, volumes=("88325", "8832.5", "693968")))) as (_, rest):
        candles = await rest.candles_before("TRB-USDT-SWAP", None)

    assert candles[["volume", "quote_volume"]].tolist() == [(8832.5, 693968.0)]


async def test_the_newest_minutes_come_from_the_endpoint_that_does_not_lag():
    async with answering(good(candle(7), candle(6)), good(candle(9), candle(8))) as (server, rest):
        candles = await rest.candles_before("BTC-USDT", 600_000)

    assert candles["open_time_ms"].tolist() == [480_000, 540_000]
    assert [path.rpartition("/")[2] for path, _ in server.requests] == [
        "history-candles",
        "candles",
    ]


async def test_old_minutes_take_one_request():
    async with answering(good(candle(9), candle(8))) as (server, rest):
        await rest.candles_before("BTC-USDT", 600_000)

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        (429, {"msg": "Too Many Requests", "code": "50011"}),
        (200, {"code": "50011", "msg": "Too Many Requests", "data": []}),
        (200, {"code": 50011, "msg": "Too Many Requests", "data": []}),
        (503, {"code": "50001", "msg": "Service unavailable", "data": []}),
        (200, {"code": "50005", "msg": "API is offline or unavailable", "data": []}),
        (200, {"code": "50061", "msg": "Requests too frequent", "data": []}),
        (429, {"code": "50013", "msg": "Busy", "data": []}),
        (500, {"code": "50026", "msg": "System error", "data": []}),
        (500, {"code": 500, "data": {}, "error_code": "500", "error_message": "Internal"}),
        (502, b"<html>Bad gateway</html>"),
        (200, b""),
        (200, {"code": "0", "msg": ""}),
        (200, {"code": "0", "msg": "", "data": {}}),
    ],
)
async def test_trouble_that_passes_is_waited_for(trouble):
    async with answering(trouble, trouble, good({"ts": "1700000000000"})) as (server, rest):
        assert await rest.server_time_ms() == 1_700_000_000_000
        assert len(server.requests) == 3


async def test_trouble_that_does_not_pass_is_reported_after_all_attempts():
    async with answering((503, {"code": "50001", "msg": "Service unavailable"})) as (server, rest):
        with pytest.raises(ExchangeUnavailable, match="HTTP 503"):
            await rest.server_time_ms()
        assert len(server.requests) == 4


async def test_a_server_that_is_not_there_is_unavailable():
    rest = OKXHistory(
        Endpoints(rest="http://127.0.0.1:9"), NoLimits(), attempts=2, backoff_base_s=0.001
    )
    async with rest:
        with pytest.raises(ExchangeUnavailable, match="ConnectError"):
            await rest.server_time_ms()


@pytest.mark.parametrize("code", ["51001", "50014", "50119"])
async def test_a_wrong_request_is_not_repeated(code):
    refusal = (200, {"code": code, "msg": "Instrument ID does not exist", "data": []})
    async with answering(refusal) as (server, rest):
        with pytest.raises(ExchangeRefused, match=f"{code} Instrument ID does not exist"):
            await rest.trades_before("NO-SUCH", 5)
        assert len(server.requests) == 1


async def test_the_wait_a_server_asks_for_is_kept():
    async with answering((429, {"code": "50011"}), good({"ts": "5"})) as (server, rest):
        server.headers["Retry-After"] = "0.3"
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        await rest.server_time_ms()

    assert 0.3 <= loop.time() - started_s < 2


async def test_data_that_cannot_be_read_is_unavailable():
    async with answering(good(trade(4, px="NaN"))) as (_, rest):
        with pytest.raises(ExchangeUnavailable, match="cannot be read"):
            await rest.trades_before("BTC-USDT", 5)


async def test_a_row_that_cannot_be_read_costs_no_other_row_of_its_page(caplog):
    async with answering(good(trade(3), trade(4, px="NaN"), trade(5), 7)) as (_, rest):
        assert (await rest.trades_before("BTC-USDT", 6))["trade_id"].tolist() == [3, 5]
    assert [record.msg["number"] for record in caplog.records if "rows" in record.msg["event"]] == [
        2
    ]
    bad = ["x", *candle(11)[1:]]
    worse = candle(13, volumes=("2", "20", "x"))
    async with answering(good(worse, candle(12), bad, candle(10))) as (_, rest):
        candles = await rest.candles_before("BTC-USDT", None)
    assert candles["open_time_ms"].tolist() == [600_000, 720_000]


async def test_unknown_kinds_of_instruments_name_the_choices():
    async with answering(good()) as (_, rest):
        with pytest.raises(ExchangeRefused, match="spot, swap"):
            await rest.instruments("bond")


async def test_instruments_that_are_not_open_yet_or_inverse_are_left_out():
    row = {
        "instId": "BTC-USDT-SWAP",
        "instType": "SWAP",
        "tickSz": "0.1",
        "lotSz": "0.01",
        "minSz": "0.01",
        "ctVal": "0.01",
        "ctMult": "1",
        "ctType": "linear",
        "state": "live",
        "listTime": "1573557408000",
    }
    inverse = row | {"instId": "BTC-USD-SWAP", "ctType": "inverse"}
    preopen = row | {"instId": "NEW-USDT-SWAP", "state": "preopen", "tickSz": "", "lotSz": ""}
    async with answering(good(row, inverse, preopen)) as (_, rest):
        (info,) = await rest.instruments("swap")

    assert (info.symbol, info.kind, info.base, info.quote) == (
        "BTC-USDT-SWAP",
        "swap",
        "BTC",
        "USDT",
    )
    assert (str(info.contract_value), info.listed_ms) == ("0.01", 1_573_557_408_000)


def served(*hidden_once: int) -> Callable[[Query], Answer]:
    """Serve trades 1 to 250, with the newest of a page missing once where `hidden_once` says."""
    hidden = set(hidden_once)

    def answer(query: Query) -> Answer:
        newest = int(query["after"]) - 1
        if newest in hidden:
            hidden.discard(newest)
            newest -= 30
        return good(*(trade(number) for number in range(newest, max(0, newest - 100), -1)))

    return answer


async def test_pages_are_walked_back_without_a_step_between_them():
    async with answering(served()) as (_, rest):
        pages = [page["trade_id"] async for page in trades_back(rest, "BTC-USDT", 250)]

    assert [(page[0], page[-1]) for page in pages] == [(151, 250), (51, 150), (1, 50)]


async def test_a_stale_page_is_asked_for_again():
    async with answering(served(250, 150)) as (server, rest):
        pages = []
        async for page in trades_back(rest, "BTC-USDT", 250):
            pages.append(page)
            if page["trade_id"][0] == 1:
                break

    assert [len(page) for page in pages] == [100, 100, 50]
    assert len(server.requests) == 5


async def test_candles_are_walked_back_to_the_end_of_history():
    def answer(query: Query) -> Answer:
        newest = int(query["after"]) // 60_000 - 1
        return good(*(candle(minute) for minute in range(newest, max(0, newest - 300), -1)))

    async with answering(answer) as (_, rest):
        pages = [page async for page in candles_back(rest, "BTC-USDT", 700 * 60_000)]

    assert [len(page) for page in pages] == [300, 300, 99]
