"""GET /api/v1/raw/."""

from __future__ import annotations

import pytest

from marketdata.domain.raw import RawChannel, RawMessage
from marketdata.storage.raw import RawWriter
from tests.marketdata.api.conftest import START_MS, make_instrument

URL = "/api/v1/raw/"
TICKERS = {"channel": "tickers", "exchange": "okx-sim"}


@pytest.fixture
def messages(btc):
    make_instrument("ETH-USDT")
    rows = [
        RawMessage(RawChannel.TICKERS, symbol, START_MS + n * 1_000, START_MS + 5, b'{"n":%d}' % n)
        for n in range(10)
        for symbol in ("BTC-USDT", "ETH-USDT")
    ]
    rows.append(RawMessage(RawChannel.BALANCES, None, START_MS, START_MS, b'{"totalEq":"1"}'))
    RawWriter("okx-sim").write(rows)


def payloads(answer):
    return [message["payload"]["n"] for message in answer.json()["messages"]]


def test_the_newest_messages_come_without_a_start(reader, messages):
    answer = reader.get(URL, {**TICKERS, "symbol": "BTC-USDT", "limit": 3})
    assert payloads(answer) == [7, 8, 9]
    first = answer.json()["messages"][0]
    assert (first["time"], first["received"]) == (START_MS + 7_000, START_MS + 5)
    assert (first["symbol"], answer.json()["next_start"]) == ("BTC-USDT", None)


def test_pages_meet_without_a_message_twice_or_missing(reader, messages):
    query, found = {**TICKERS, "start": START_MS, "limit": 3}, []
    while True:
        page = reader.get(URL, query).json()
        found += [(one["time"], one["id"]) for one in page["messages"]]
        if page["next_start"] is None:
            break
        query |= {"start": page["next_start"], "after_id": page["next_after_id"]}
    assert len(found) == len(set(found)) == 20
    assert found == sorted(found)


def test_the_end_is_not_included(reader, messages):
    query = {**TICKERS, "symbol": "ETH-USDT", "start": START_MS, "end": START_MS + 3_000}
    assert payloads(reader.get(URL, query)) == [0, 1, 2]


def test_balances_are_for_staff_alone(reader, staff, messages):
    query = {"channel": "balances", "exchange": "okx-sim"}
    assert reader.get(URL, query).status_code == 403
    (one,) = staff.get(URL, query).json()["messages"]
    assert (one["symbol"], one["payload"]) == (None, {"totalEq": "1"})


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"channel": "nothing"}, "channel"),
        ({"symbol": "NO-SUCH"}, "symbol"),
        ({"after_id": 3}, "after_id"),
        ({"start": 5, "end": 5}, "end"),
        ({"limit": 1_001}, "limit"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(reader, messages, wrong, field):
    answer = reader.get(URL, {**TICKERS, **wrong})
    assert answer.status_code == 400
    assert field in answer.text


def test_strangers_see_nothing(client, db):
    assert client.get(URL, TICKERS).status_code == 403
