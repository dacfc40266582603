"""GET /api/v1/integrity/ tells how whole a stretch of candles is."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.domain.records import Source
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import Collector, DataGap, RangeLock, from_ms
from marketdata.storage import range_fingerprint, write_candles
from tests.marketdata.api.conftest import START_MS, minutes

URL = "/api/v1/integrity/"
BTC = {"exchange": "okx-sim", "symbol": "BTC-USDT"}


@pytest.fixture
def an_hour(btc):
    """59 minutes of an hour: the fifth is missing."""
    write_candles(btc, np.delete(minutes(60), 4), reason="test")
    return btc


def test_the_whole_stored_stretch_is_told_unless_asked_otherwise(reader, an_hour):
    DataGap.objects.create(
        instrument=an_hour,
        kind="candles",
        start=from_ms(START_MS + 4 * MINUTE_MS),
        end=from_ms(START_MS + 5 * MINUTE_MS),
        cause="outage",
        state="unrepairable",
        reason="the exchange has no trades of then",
    )
    RangeLock.objects.create(
        instrument=an_hour,
        start=from_ms(START_MS - DAY_MS),
        end=from_ms(START_MS + MINUTE_MS),
        reason="audited",
    )
    fingerprint = range_fingerprint(an_hour, Timeframe.M1, START_MS, START_MS + 60 * MINUTE_MS)

    answer = reader.get(URL, BTC)

    assert answer.status_code == 200
    assert answer.json() == {
        "exchange": "okx-sim",
        "symbol": "BTC-USDT",
        "timeframe": "1m",
        "start": START_MS,
        "end": START_MS + 60 * MINUTE_MS,
        "expected": 60,
        "complete": 59,
        "incomplete": 0,
        "missing": 1,
        "uncollected": 0,
        "by_trades": 0,
        "by_exchange": 59,
        "by_import": 0,
        "flat": 0,
        "revised": 0,
        "verified": 0,
        "differing": 0,
        "complete_share": 59 / 60,
        "verified_share": None,
        "flat_share": 0.0,
        "revised_share": 0.0,
        "fingerprint": fingerprint.hex(),
        "gaps": [
            {
                "kind": "candles",
                "state": "unrepairable",
                "cause": "outage",
                "reason": "the exchange has no trades of then",
                "start": START_MS + 4 * MINUTE_MS,
                "end": START_MS + 5 * MINUTE_MS,
            }
        ],
        "locks": [{"start": START_MS, "end": START_MS + MINUTE_MS}],
    }


def test_a_stretch_and_a_timeframe_may_be_asked_for(reader, an_hour):
    query = {**BTC, "timeframe": "5m", "start": START_MS, "end": START_MS + 30 * MINUTE_MS}
    answer = reader.get(URL, query).json()
    told = [answer[name] for name in ("expected", "complete", "incomplete", "missing")]
    assert told == [6, 5, 1, 0]


def test_what_is_older_than_the_first_candle_is_told_apart(reader, an_hour):
    query = {**BTC, "start": START_MS - 30 * MINUTE_MS, "end": START_MS + 60 * MINUTE_MS}
    answer = reader.get(URL, query).json()
    told = [answer[name] for name in ("expected", "complete", "missing", "uncollected")]
    assert told == [90, 59, 31, 30]


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ({"start": START_MS + 50 * MINUTE_MS}, 10),
        ({"end": START_MS + 10 * MINUTE_MS}, 10),
        ({"start": START_MS + DAY_MS}, 0),
        ({"end": START_MS - DAY_MS}, 0),
    ],
)
def test_the_side_that_is_not_given_is_that_of_what_is_stored(reader, an_hour, window, expected):
    assert reader.get(URL, {**BTC, **window}).json()["expected"] == expected


def test_candles_that_are_to_come_are_not_missing(reader, an_hour):
    now = from_ms(START_MS + 62 * MINUTE_MS + 30_000)
    Collector.objects.create(name="okx-sim", exchange="okx-sim", exchange_time=now)
    window = {"start": START_MS, "end": START_MS + DAY_MS}

    answer = reader.get(URL, {**BTC, **window}).json()

    assert answer["end"] == START_MS + 62 * MINUTE_MS
    assert (answer["expected"], answer["missing"]) == (62, 3)


def test_an_instrument_without_candles_has_nothing_to_tell(reader, btc):
    answer = reader.get(URL, BTC).json()
    assert (answer["expected"], answer["complete_share"], answer["gaps"]) == (0, None, [])


def test_the_fingerprint_changes_with_a_candle(reader, an_hour):
    before = reader.get(URL, BTC).json()["fingerprint"]
    better = minutes(1, source=Source.TRADES)
    better["volume"] = 7.0
    write_candles(an_hour, better, reason="repair")

    answer = reader.get(URL, BTC).json()

    assert answer["fingerprint"] != before
    assert (answer["revised"], answer["by_trades"]) == (1, 1)


@pytest.mark.parametrize(
    ("query", "name", "says"),
    [
        ({"exchange": ""}, "exchange", "may not be blank"),
        ({"symbol": "NO-SUCH"}, "symbol", "/api/v1/instruments/ lists them"),
        ({"timeframe": "7m"}, "timeframe", '"7m" is not a valid choice'),
        ({"start": "yesterday"}, "start", "expected UTC milliseconds such as 1763769600000"),
        ({"start": "5", "end": "5"}, "end", "expected a time after start"),
        ({"limit": "5"}, "limit", "unknown parameter; expected some of exchange, symbol"),
    ],
)
def test_a_bad_request_says_what_to_correct(reader, an_hour, query, name, says):
    answer = reader.get(URL, {**BTC, **query})
    assert answer.status_code == 400
    assert says in answer.json()["errors"][name][0]


def test_a_stranger_is_refused(client, an_hour):
    assert client.get(URL, BTC).status_code == 403
