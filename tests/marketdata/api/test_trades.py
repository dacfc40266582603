"""GET /api/v1/trades/ answers the tape in columns, by keyset pages."""

from __future__ import annotations

import pytest

from marketdata.models import Trade, from_ms
from tests.marketdata.api.conftest import START_MS

URL = "/api/v1/trades/"
BTC = {"exchange": "okx-sim", "symbol": "BTC-USDT"}


@pytest.fixture
def tape(btc):
    """Ten trades, three to a millisecond."""
    Trade.objects.bulk_create(
        Trade(
            instrument=btc,
            executed_at=from_ms(START_MS + index // 3),
            trade_id=index,
            price=100.0 + index,
            size=0.5,
            side=1 if index % 2 else -1,
        )
        for index in range(10)
    )
    return btc


def test_a_window_comes_in_columns(reader, tape):
    answer = reader.get(URL, {**BTC, "start": START_MS, "end": START_MS + 1})
    assert answer.json() == {
        "exchange": "okx-sim",
        "symbol": "BTC-USDT",
        "trade_id": [0, 1, 2],
        "time": [START_MS] * 3,
        "price": [100.0, 101.0, 102.0],
        "size": [0.5, 0.5, 0.5],
        "side": ["sell", "buy", "sell"],
        "count": [1, 1, 1],
        "next_start": None,
        "next_after_id": None,
    }


def test_without_a_start_the_newest_trades_come_in_order(reader, tape):
    assert reader.get(URL, {**BTC, "limit": 4}).json()["trade_id"] == [6, 7, 8, 9]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 10, 11])
def test_pages_give_every_trade_once_also_within_a_millisecond(reader, tape, limit):
    ids, place = [], {"start": START_MS}
    while place is not None:
        page = reader.get(URL, {**BTC, "limit": limit, **place}).json()
        ids += page["trade_id"]
        place = page["next_start"] and {
            "start": page["next_start"],
            "after_id": page["next_after_id"],
        }
    assert ids == list(range(10))


def test_an_id_without_its_time_is_refused(reader, tape):
    answer = reader.get(URL, {**BTC, "after_id": 5})
    assert answer.status_code == 400
    assert "needs start" in answer.json()["errors"]["after_id"][0]


def test_an_empty_tape_has_empty_columns(reader, btc):
    answer = reader.get(URL, BTC).json()
    assert answer["trade_id"] == []
    assert answer["next_start"] is None
