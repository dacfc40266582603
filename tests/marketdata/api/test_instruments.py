"""/api/v1/instruments/ lists instruments and lets staff enable and disable them."""

from __future__ import annotations

import pytest

from marketdata.models import Collector
from tests.marketdata.api.conftest import make_instrument

URL = "/api/v1/instruments/"
BTC = f"{URL}okx-sim/BTC-USDT/"


@pytest.fixture
def some(btc):
    make_instrument("ETH-USDT", is_enabled=True)
    make_instrument("BTC-USDT-SWAP", kind="swap")
    make_instrument("SOL-USDT", exchange="okx")


def test_an_instrument_shows_plain_decimals(reader, btc):
    assert reader.get(BTC).json() == {
        "exchange": "okx-sim",
        "symbol": "BTC-USDT",
        "kind": "spot",
        "base": "BTC",
        "quote": "USDT",
        "tick_size": "0.1",
        "lot_size": "0.00000001",
        "min_size": "0.00001",
        "contract_value": "1",
        "state": "live",
        "listed_at": None,
        "is_enabled": False,
        "history_loaded_at": None,
        "collector": None,
    }


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ({}, ["BTC-USDT", "BTC-USDT-SWAP", "ETH-USDT", "SOL-USDT"]),
        ({"exchange": "okx"}, ["SOL-USDT"]),
        ({"kind": "swap"}, ["BTC-USDT-SWAP"]),
        ({"is_enabled": "true"}, ["ETH-USDT"]),
        ({"is_enabled": "false", "kind": "spot"}, ["BTC-USDT", "SOL-USDT"]),
        ({"search": "btc"}, ["BTC-USDT", "BTC-USDT-SWAP"]),
    ],
)
def test_the_list_is_filtered(reader, some, query, symbols):
    rows = reader.get(URL, query).json()["results"]
    assert [row["symbol"] for row in rows] == symbols


def test_pages_give_every_instrument_once(reader, some):
    symbols, url = [], f"{URL}?page_size=1"
    while url is not None:
        page = reader.get(url).json()
        symbols += [row["symbol"] for row in page["results"]]
        url = page["next"]
    assert symbols == ["BTC-USDT", "BTC-USDT-SWAP", "ETH-USDT", "SOL-USDT"]


def test_an_unknown_filter_is_refused_with_the_known_ones(reader, some):
    answer = reader.get(URL, {"enabled": "yes"})
    assert answer.status_code == 400
    assert "is_enabled" in answer.json()["errors"]["enabled"][0]


def test_staff_enable_and_disable(staff, btc):
    enabled = staff.post(f"{BTC}enable/").json()
    assert (enabled["is_enabled"], enabled["collector"]) == (True, "okx-sim")
    assert Collector.objects.get().exchange == "okx-sim"
    disabled = staff.post(f"{BTC}disable/").json()
    assert (disabled["is_enabled"], disabled["collector"]) == (False, "okx-sim")


def test_others_may_not_change_anything(reader, btc):
    for action in ("enable", "disable"):
        answer = reader.post(f"{BTC}{action}/")
        assert answer.status_code == 403
        assert answer.json()["detail"] == "You do not have permission to perform this action."
    btc.refresh_from_db()
    assert not btc.is_enabled


def test_an_unknown_instrument_is_not_found(staff, db):
    for answer in (staff.get(BTC), staff.post(f"{BTC}enable/")):
        assert answer.status_code == 404
        assert answer.json()["title"] == "Not Found"


def test_reading_is_the_only_thing_a_get_can_do(staff, btc):
    assert staff.get(f"{BTC}enable/").status_code == 405


def test_an_instrument_of_an_exchange_that_is_not_collected_here_is_a_conflict(staff, db):
    make_instrument("BTC-USDT", exchange="okx")
    answer = staff.post(f"{URL}okx/BTC-USDT/enable/")
    assert answer.status_code == 409
    assert answer.json()["detail"] == (
        "okx is not collected here: this installation was started for okx-sim "
        "(TCPD_EXCHANGE, TCPD_MORE_EXCHANGES)"
    )
