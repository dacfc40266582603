"""Searches over REST: asked for, ordered about, read, and refused by field."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model

from tests.marketdata.api.conftest import client_of

URL = "/api/v1/searches/"
GIVEN = {
    "strategy": "ema_crossover",
    "space": {"fast": {"min": 3, "max": 6, "step": 1}, "slow": {"values": [9, 12, 20]}},
    "exchange": "okx-sim",
    "symbol": "BTC-USDT",
    "timeframe": "5m",
    "start": "2025-11-22T06:00:00Z",
    "end": "2025-11-24T00:00:00Z",
    "objective": "total_return",
}


@pytest.fixture
def trader(db):
    return client_of(get_user_model().objects.create_user("trader"))


def test_what_was_asked_for_is_told_at_once(btc, trader):
    answer = trader.post(URL, {**GIVEN, "tags": ["first"], "notes": "a try"})
    assert answer.status_code == 201, answer.json()
    shown = answer.json()
    assert (shown["state"], shown["owner"], shown["tags"]) == ("waiting", "trader", ["first"])
    assert (shown["total"], shown["done"], shown["direction"]) == (12, 0, "max")
    assert shown["topic"] == f"search:{get_user_model().objects.get().pk}:{shown['id']}"
    assert trader.get(f"{URL}{shown['id']}/").json() == shown
    assert [one["id"] for one in trader.get(URL).json()["results"]] == [shown["id"]]
