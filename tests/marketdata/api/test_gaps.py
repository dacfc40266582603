"""/api/v1/gaps/ lists what is missing and lets staff ask for its repair."""

from __future__ import annotations

import pytest

from marketdata.models import DataGap, from_ms
from tests.marketdata.api.conftest import make_instrument

URL = "/api/v1/gaps/"
HOUR_MS = 3_600_000


@pytest.fixture
def gaps(db, settings):
    settings.EXCHANGE = "okx-sim"
    btc, eth = make_instrument("BTC-USDT"), make_instrument("ETH-USDT")
    trades = DataGap.objects.create(
        instrument=btc,
        kind="trades",
        first_trade_id=5,
        last_trade_id=9,
        start=from_ms(0),
        end=from_ms(HOUR_MS),
        cause="outage",
    )
    candles = DataGap.objects.create(
        instrument=eth,
        kind="candles",
        start=from_ms(2 * HOUR_MS),
        end=from_ms(3 * HOUR_MS),
        cause="never_collected",
        state="unrepairable",
        reason="the exchange has neither",
    )
    return trades, candles


def ids(answer):
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


def test_gaps_are_listed_newest_first_and_by_what_they_are(reader, gaps):
    trades, candles = (gap.pk for gap in gaps)
    assert ids(reader.get(URL)) == [candles, trades]
    assert ids(reader.get(URL, {"symbol": "BTC-USDT", "exchange": "okx-sim"})) == [trades]
    assert ids(reader.get(URL, {"state": "unrepairable"})) == [candles]
    assert ids(reader.get(URL, {"kind": "trades"})) == [trades]
    assert ids(reader.get(URL, {"start": HOUR_MS, "end": 3 * HOUR_MS})) == [candles]
    assert reader.get(URL, {"state": "lost"}).status_code == 400


def test_one_gap_says_everything(reader, gaps):
    shown = reader.get(f"{URL}{gaps[1].pk}/").json()
    assert (shown["symbol"], shown["timeframe"]) == ("ETH-USDT", 1)
    assert (shown["start_ms"], shown["end_ms"]) == (2 * HOUR_MS, 3 * HOUR_MS)
    assert (shown["state"], shown["cause"]) == ("unrepairable", "never_collected")
    assert shown["reason"] == "the exchange has neither"
    assert shown["first_trade_id"] is None


def test_staff_ask_for_a_repair_and_others_may_not(reader, staff, gaps):
    address = f"{URL}{gaps[1].pk}/repair/"
    assert reader.post(address).status_code == 403
    answer = staff.post(address)
    assert (answer.status_code, answer.json()["state"]) == (200, "open")


def test_what_is_repaired_or_being_repaired_is_no_more_to_do(staff, gaps):
    for state in ("repaired", "repairing"):
        DataGap.objects.update(state=state)
        answer = staff.post(f"{URL}{gaps[0].pk}/repair/")
        assert answer.status_code == 409
        assert state in answer.json()["detail"]
