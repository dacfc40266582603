"""GET /api/v1/candles/ answers closed candles in columns."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.domain.timeframe import DAY_MS, MINUTE_MS
from marketdata.storage import write_candles
from tests.marketdata.api.conftest import START_MS, minutes

URL = "/api/v1/candles/"
BTC = {"exchange": "okx-sim", "symbol": "BTC-USDT"}


@pytest.fixture
def an_hour(btc):
    write_candles(btc, minutes(60), reason="test")
    return btc


def test_a_window_comes_in_columns(reader, an_hour):
    answer = reader.get(URL, {**BTC, "start": START_MS, "end": START_MS + 2 * MINUTE_MS})
    assert answer.status_code == 200
    assert answer.json() == {
        "exchange": "okx-sim",
        "symbol": "BTC-USDT",
        "timeframe": "1m",
        "open_time": [START_MS, START_MS + MINUTE_MS],
        "close_time": [START_MS + MINUTE_MS, START_MS + 2 * MINUTE_MS],
        "open": [100.0, 101.0],
        "high": [102.0, 103.0],
        "low": [98.0, 99.0],
        "close": [101.0, 102.0],
        "volume": [0.25, 0.25],
        "quote_volume": [25.0, 25.0],
        "trade_count": [None, None],
        "complete": [True, True],
        "source": ["exchange", "exchange"],
        "revision": [0, 0],
        "next_start": None,
    }


def test_without_a_start_the_newest_candles_come_in_order(reader, an_hour):
    answer = reader.get(URL, {**BTC, "limit": 3}).json()
    assert answer["open"] == [157.0, 158.0, 159.0]
    before = reader.get(URL, {**BTC, "limit": 2, "end": answer["open_time"][0]}).json()
    assert before["open"] == [155.0, 156.0]


def test_following_next_start_gives_every_candle_once(reader, an_hour):
    assert walk(reader, limit=7) == [100.0 + index for index in range(60)]


def test_a_page_after_a_gap_of_years_is_the_next_one(reader, an_hour):
    later = minutes(3, start_ms=START_MS + 700 * DAY_MS)
    write_candles(an_hour, later, reason="test")
    opens = walk(reader, limit=50)
    assert opens == [100.0 + index for index in range(60)] + [100.0, 101.0, 102.0]


def test_pages_end_before_the_end(reader, an_hour):
    opens = walk(reader, limit=4, end=START_MS + 10 * MINUTE_MS)
    assert opens == [100.0 + index for index in range(10)]


def test_times_may_be_iso_8601(reader, an_hour):
    window = {"start": "2025-11-22T00:01:00Z", "end": "2025-11-22T01:03:00+01:00"}
    assert reader.get(URL, {**BTC, **window}).json()["open"] == [101.0, 102.0]


def test_higher_timeframes_are_served(reader, an_hour):
    answer = reader.get(URL, {**BTC, "timeframe": "15m", "start": START_MS}).json()
    assert answer["open"] == [100.0, 115.0, 130.0, 145.0]
    assert answer["complete"] == [True] * 4


def test_a_candle_with_minutes_missing_is_not_complete(reader, btc):
    write_candles(btc, np.delete(minutes(10), 2), reason="test")
    answer = reader.get(URL, {**BTC, "timeframe": "5m", "start": START_MS}).json()
    assert answer["complete"] == [False, True]


@pytest.mark.parametrize(
    ("max_points", "timeframe", "count"), [(60, "1m", 60), (59, "5m", 12), (10, "15m", 4)]
)
def test_auto_chooses_the_finest_timeframe_that_fits(reader, an_hour, max_points, timeframe, count):
    query = {**BTC, "timeframe": "auto", "max_points": max_points}
    answer = reader.get(URL, query).json()
    assert answer["timeframe"] == timeframe
    assert len(answer["open"]) == count


def test_auto_makes_bins_of_days_where_days_are_too_many(reader, btc):
    write_candles(btc, minutes(40 * 1440), reason="test")
    answer = reader.get(URL, {**BTC, "timeframe": "auto", "max_points": 12}).json()
    assert answer["timeframe"] == "5d"
    assert len(answer["open"]) <= 12
    assert answer["close_time"][0] - answer["open_time"][0] == 5 * DAY_MS


def test_bins_at_the_edges_of_a_window_are_whole(reader, btc):
    write_candles(btc, minutes(40 * 1440), reason="test")
    query = {**BTC, "timeframe": "auto", "max_points": 10}
    whole = reader.get(URL, query).json()
    assert whole["timeframe"] == "5d"
    inner = {"start": whole["open_time"][1] + DAY_MS, "end": whole["open_time"][-1] - DAY_MS // 2}
    part = reader.get(URL, {**query, **inner}).json()
    assert part["timeframe"] == "5d"
    for column in ("open_time", "open", "high", "low", "close", "volume", "complete"):
        assert part[column] == whole[column][1:-1]
    assert len(part["open"]) == 7


def test_a_bin_with_a_day_absent_is_not_complete(reader, btc):
    first_bin_ms = START_MS - START_MS % (5 * DAY_MS) + 5 * DAY_MS
    days = minutes(40 * 1440, start_ms=first_bin_ms)
    absent = slice(7 * 1440, 8 * 1440)
    write_candles(btc, np.delete(days, absent), reason="test")
    answer = reader.get(URL, {**BTC, "timeframe": "auto", "max_points": 10}).json()
    assert answer["timeframe"] == "5d"
    assert answer["complete"] == [True, False, *[True] * 6]


def test_an_instrument_without_candles_has_empty_columns(reader, btc):
    for query in (BTC, {**BTC, "start": 0}, {**BTC, "timeframe": "auto"}):
        answer = reader.get(URL, query).json()
        assert answer["open_time"] == []
        assert answer["next_start"] is None


@pytest.mark.parametrize(
    ("query", "name", "says"),
    [
        ({"symbol": ""}, "symbol", "may not be blank"),
        ({"symbol": "NO-SUCH"}, "symbol", "/api/v1/instruments/ lists them"),
        ({"timeframe": "7m"}, "timeframe", '"7m" is not a valid choice'),
        ({"start": "yesterday"}, "start", "expected UTC milliseconds such as 1763769600000"),
        ({"start": "2025-11-22T00:00:00"}, "start", "ISO 8601 with an offset"),
        ({"start": "2025-13-45T00:00:00Z"}, "start", "expected UTC milliseconds"),
        ({"start": "99999999999999999"}, "start", "expected UTC milliseconds"),
        ({"start": "9" * 5_000}, "start", "expected UTC milliseconds"),
        ({"start": "-5"}, "start", "expected UTC milliseconds"),
        ({"start": "5", "end": "5"}, "end", "expected a time after start"),
        ({"limit": "0"}, "limit", "greater than or equal to 1"),
        ({"limit": "10001"}, "limit", "less than or equal to 10000"),
        ({"limit": "many"}, "limit", "A valid integer is required"),
        ({"timeframe": "auto", "limit": "5"}, "limit", "use max_points"),
        ({"max_points": "100"}, "max_points", "use limit"),
        ({"symbl": "BTC"}, "symbl", "unknown parameter; expected some of exchange, symbol"),
    ],
)
def test_a_bad_request_says_what_to_correct(reader, an_hour, query, name, says):
    answer = reader.get(URL, {**BTC, **query})
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert says in problem["errors"][name][0]
    assert f"{name}: " in problem["detail"]
    assert (problem["status"], problem["title"]) == (400, "Bad Request")


def test_a_stranger_is_refused(client, an_hour):
    answer = client.get(URL, BTC)
    assert answer.status_code == 403
    assert answer.json()["title"] == "Forbidden"


def walk(reader, **query):
    opens, start = [], 0
    while start is not None:
        page = reader.get(URL, {**BTC, **query, "start": start}).json()
        assert len(page["open"]) <= query["limit"]
        opens += page["open"]
        start = page["next_start"]
    return opens
