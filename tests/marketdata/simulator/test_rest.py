"""REST as okx-v5 describes it: envelope, paging, errors, limits."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import httpx
import pytest
import pytest_asyncio

from marketdata.simulator.config import Limits
from tests.simulated_exchange import START_MS, running_exchange

MINUTE = 60_000
DAY = 86_400_000
NOW = START_MS + 30_000


@pytest_asyncio.fixture
async def rest(tmp_path):
    """A client of an exchange that stands still at half past a minute."""
    async with (
        running_exchange(tmp_path, speed=0.0, start_ms=NOW) as exchange,
        httpx.AsyncClient(base_url=f"{exchange.rest_url}/api/v5/") as client,
    ):
        yield client


async def data(rest: httpx.AsyncClient, path: str, **query: Any) -> list[Any]:
    answer = await rest.get(path, params=query)
    body = answer.json()
    assert (answer.status_code, body["code"], body["msg"]) == (200, "0", "")
    return body["data"]


async def refusal(rest: httpx.AsyncClient, path: str, **query: Any) -> tuple[int, str]:
    answer = await rest.get(path, params=query)
    return answer.status_code, answer.json()["code"]


async def candles(rest: httpx.AsyncClient, **query: Any) -> list[int]:
    """Return the open times in minutes from the start."""
    rows = await data(rest, "market/candles", instId="BTC-USDT", **query)
    return [(int(row[0]) - START_MS) // MINUTE for row in rows]


pytestmark = pytest.mark.asyncio


async def test_the_time_is_the_exchanges_not_the_walls(rest):
    assert await data(rest, "public/time") == [{"ts": str(NOW)}]


async def test_instruments_are_listed_by_kind(rest):
    spot = await data(rest, "public/instruments", instType="SPOT")
    swaps = await data(rest, "public/instruments", instType="SWAP")

    assert [row["instId"] for row in spot][:2] == ["BTC-USDT", "ETH-USDT"]
    assert [(row["instId"], row["ctVal"], row["ctType"]) for row in swaps] == [
        ("BTC-USDT-SWAP", "0.01", "linear"),
        ("ETH-USDT-SWAP", "0.1", "linear"),
        ("BTC-USD-SWAP", "100", "inverse"),
    ]
    assert (spot[0]["tickSz"], spot[0]["lotSz"], spot[0]["minSz"]) == (
        "0.1",
        "0.00000001",
        "0.00001",
    )
    assert await data(rest, "public/instruments", instType="FUTURES") == []
    assert await data(rest, "public/instruments", instType="OPTION", uly="BTC-USD") == []


async def test_candles_come_newest_first_with_the_running_one(rest):
    rows = await data(rest, "market/candles", instId="BTC-USDT", limit=3)

    assert [int(row[0]) - START_MS for row in rows] == [0, -MINUTE, -2 * MINUTE]
    assert [row[8] for row in rows] == ["0", "1", "1"]


async def test_history_candles_hold_closed_bars_only(rest):
    rows = await data(rest, "market/history-candles", instId="BTC-USDT", limit=2)

    assert [int(row[0]) - START_MS for row in rows] == [-MINUTE, -2 * MINUTE]


async def test_a_bar_is_confirmed_three_to_four_seconds_after_its_end(tmp_path):
    newest = []
    for second in (2, 5):
        settings = {"speed": 0.0, "start_ms": START_MS + second * 1000}
        async with (
            running_exchange(tmp_path / str(second), **settings) as exchange,
            httpx.AsyncClient(base_url=f"{exchange.rest_url}/api/v5/") as client,
        ):
            rows = await data(client, "market/candles", instId="BTC-USDT", limit=2)
            newest.append(rows[1][8])

    assert newest == ["0", "1"]


async def test_after_and_before_are_exclusive(rest):
    after = START_MS - 10 * MINUTE

    assert await candles(rest, after=after, limit=2) == [-11, -12]
    assert await candles(rest, after=after + 1, limit=1) == [-10]
    assert await candles(rest, before=START_MS - 2 * MINUTE) == [0, -1]
    assert await candles(rest, after=after, before=after - 3 * MINUTE) == [-11, -12]


async def test_before_alone_returns_the_latest_rows(rest):
    assert await candles(rest, before=START_MS - 1000 * MINUTE, limit=2) == [0, -1]


async def test_of_a_window_larger_than_a_page_the_older_part_is_missing(rest):
    window = {"after": START_MS - 10 * MINUTE, "before": START_MS - 1000 * MINUTE}

    found = await candles(rest, limit=300, **window)
    assert (len(found), found[0], found[-1]) == (300, -11, -310)


async def test_pages_are_100_rows_and_at_most_300(rest):
    assert len(await candles(rest)) == 100
    assert len(await candles(rest, limit=1000)) == 300


async def test_candles_reach_back_1440_bars_and_history_to_the_listing(rest):
    long_ago = START_MS - 1439 * MINUTE

    assert len(await candles(rest, after=long_ago)) == 0
    assert len(await candles(rest, after=long_ago + MINUTE)) == 1
    old = await data(rest, "market/history-candles", instId="BTC-USDT", after=1_577_836_800_000)
    assert int(old[0][0]) == 1_577_836_800_000 - MINUTE


async def test_history_ends_at_the_listing(rest):
    (row,) = await data(rest, "public/instruments", instType="SPOT", instId="LTC-USDT")
    listed = int(row["listTime"])
    query = {"instId": "LTC-USDT", "after": listed + 3 * MINUTE}

    rows = await data(rest, "market/history-candles", **query)
    assert [int(row[0]) for row in rows] == [listed + i * MINUTE for i in (2, 1, 0)]


@pytest.mark.parametrize(
    ("bar", "hour"), [("1D", 16), ("1Dutc", 0), ("12H", 4), ("12Hutc", 0), ("4H", 0), ("1H", 0)]
)
async def test_long_bars_are_cut_in_hong_kong_unless_they_say_utc(rest, bar, hour):
    rows = await data(rest, "market/history-candles", instId="LTC-USDT", bar=bar, limit=14)
    length = int(rows[0][0]) - int(rows[1][0])

    assert {int(row[0]) % length for row in rows} == {hour * 3_600_000 % length}


@pytest.mark.parametrize("symbol", ["BTC-USDT", "XRP-USDT", "BTC-USDT-SWAP", "ETH-USDT-SWAP"])
async def test_candles_built_from_trades_equal_the_served_ones_to_the_last_digit(rest, symbol):
    served = await data(rest, "market/history-candles", instId=symbol, limit=20)
    built = built_candles(await trades_since(rest, symbol, int(served[-1][0])), symbol)

    assert {row[0]: row[1:8] for row in served if row[5] != "0"} == {
        time: row for time, row in built.items() if int(time) < START_MS
    }


async def test_bars_of_an_inverse_swap_count_contracts_of_a_hundred_dollars(rest):
    (row,) = await data(rest, "market/history-candles", instId="BTC-USD-SWAP", bar="1H", limit=1)

    assert Decimal(row[7]) == 100 * Decimal(row[5])
    assert float(row[6]) == pytest.approx(float(row[7]) / float(row[4]), rel=0.02)


async def trades_since(rest: httpx.AsyncClient, symbol: str, since_ms: int) -> list[dict[str, str]]:
    rows = await data(rest, "market/history-trades", instId=symbol)
    while int(rows[-1]["ts"]) >= since_ms:
        after = rows[-1]["tradeId"]
        rows += await data(rest, "market/history-trades", instId=symbol, after=after)
    return [row for row in rows if int(row["ts"]) >= since_ms]


def built_candles(trades: list[dict[str, str]], symbol: str) -> dict[str, list[str]]:
    contract = {"BTC-USDT-SWAP": Decimal("0.01"), "ETH-USDT-SWAP": Decimal("0.1")}.get(symbol)
    by_minute = defaultdict(list)
    for row in reversed(trades):
        by_minute[str(int(row["ts"]) // MINUTE * MINUTE)].append(row)
    return {minute: _candle(rows, contract) for minute, rows in by_minute.items()}


def _candle(rows: list[dict[str, str]], contract: Decimal | None) -> list[str]:
    prices = [Decimal(row["px"]) for row in rows]
    sizes = [Decimal(row["sz"]) for row in rows]
    base = sum(sizes) * (contract or 1)
    quote = sum(p * s for p, s in zip(prices, sizes, strict=True)) * (contract or 1)
    shape = [prices[0], max(prices), min(prices), prices[-1]]
    amounts = [sum(sizes), base if contract else quote, quote]
    return [f"{Decimal(number).normalize():f}" for number in shape + amounts]


async def test_the_newest_trades_are_single_matches_with_consecutive_ids(rest):
    rows = await data(rest, "market/trades", instId="BTC-USDT", limit=500)

    ids = [int(row["tradeId"]) for row in rows]
    assert ids == list(range(ids[0], ids[0] - 500, -1))
    assert all(int(row["ts"]) <= NOW for row in rows)
    assert "count" not in rows[0]


async def test_history_trades_page_by_id_in_both_directions(rest):
    newest = int((await data(rest, "market/trades", instId="BTC-USDT", limit=1))[0]["tradeId"])

    async def ids(**query: Any) -> list[int]:
        rows = await data(rest, "market/history-trades", instId="BTC-USDT", **query)
        return [int(row["tradeId"]) - newest for row in rows]

    assert await ids(limit=2) == [0, -1]
    assert await ids(after=newest - 50, limit=2) == [-51, -52]
    assert await ids(before=newest - 2) == [0, -1]
    assert await ids(after=newest - 5, before=newest - 8) == [-6, -7]
    assert len(await ids(limit=500)) == 100


async def test_history_trades_page_by_time_backwards_only(rest):
    query = {"instId": "BTC-USDT", "type": "2"}
    time = START_MS - 3_600_000

    rows = await data(rest, "market/history-trades", **query, after=time)
    assert len(rows) == 100
    assert all(int(row["ts"]) < time for row in rows)
    newer = await data(
        rest, "market/history-trades", instId="BTC-USDT", after=int(rows[0]["tradeId"]) + 2
    )
    assert int(newer[0]["ts"]) >= time
    assert await refusal(rest, "market/history-trades", **query, before=time) == (200, "50039")


async def test_trades_are_kept_for_three_months(rest):
    query = {"instId": "LTC-USDT", "type": "2", "after": START_MS - 91 * DAY}

    assert await data(rest, "market/history-trades", **query) == []


async def test_a_ticker_sums_up_the_last_day(rest):
    (row,) = await data(rest, "market/ticker", instId="BTC-USDT")
    hours = await data(rest, "market/candles", instId="BTC-USDT", limit=300)
    trade = (await data(rest, "market/trades", instId="BTC-USDT", limit=1))[0]

    assert (row["last"], row["lastSz"]) == (trade["px"], trade["sz"])
    assert Decimal(row["bidPx"]) < Decimal(row["askPx"])
    assert Decimal(row["low24h"]) <= min(Decimal(candle[3]) for candle in hours)
    assert Decimal(row["high24h"]) >= max(Decimal(candle[2]) for candle in hours)
    assert len(row) == 16


async def test_tickers_are_listed_by_kind(rest):
    rows = await data(rest, "market/tickers", instType="SWAP")

    assert [row["instId"] for row in rows] == ["BTC-USDT-SWAP", "ETH-USDT-SWAP", "BTC-USD-SWAP"]


async def test_books_have_one_level_unless_more_are_asked_for(rest):
    (one,) = await data(rest, "market/books", instId="BTC-USDT")
    (many,) = await data(rest, "market/books", instId="BTC-USDT", sz=4000)

    assert (len(one["asks"]), len(one["bids"])) == (1, 1)
    assert (len(many["asks"]), len(many["bids"])) == (400, 400)
    prices = [Decimal(level[0]) for level in many["bids"][::-1] + many["asks"]]
    assert prices == sorted(set(prices))
    assert isinstance(one["seqId"], int)


async def test_the_status_is_empty_while_all_is_well(rest):
    assert await data(rest, "system/status") == []


async def test_wrong_requests_are_refused_with_the_exchanges_codes(rest):
    assert await refusal(rest, "market/candles", instId="NO-SUCH") == (200, "51001")
    assert await refusal(rest, "market/candles") == (400, "50014")
    assert await refusal(rest, "market/candles", instId="BTC-USDT", bar="1x") == (400, "51000")
    assert await refusal(rest, "market/candles", instId="BTC-USDT", after="x") == (400, "51000")
    assert await refusal(rest, "market/tickers") == (400, "50014")
    assert await refusal(rest, "public/instruments", instType="NONE") == (400, "51000")
    assert await refusal(rest, "public/instruments", instType="OPTION") == (400, "50014")
    assert await refusal(rest, "no/such/path") == (404, "404")


async def test_too_many_requests_are_answered_without_data(tmp_path):
    async with (
        running_exchange(tmp_path, speed=0.0, limits=Limits()) as exchange,
        httpx.AsyncClient(base_url=f"{exchange.rest_url}/api/v5/") as client,
    ):
        answers = [await client.get("public/time") for _ in range(11)]

    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[-1].json() == {"msg": "Too Many Requests", "code": "50011"}
