"""One person's charts and files are limited, and the refusal says when to come back."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from redis import RedisError

from tcpdashboard.common.rest import PersonThrottle
from tests.marketdata.storage.builders import make_instrument

pytestmark = pytest.mark.django_db

CHART = "/chart/okx/BTC-USDT/1m"
RANGE = "start=1763769600000&end=1763773200000"
PAGES = [(f"{CHART}/window?{RANGE}", "chart"), (f"{CHART}/figure?{RANGE}", "chart")]
PAGES += [(f"{CHART}/export?{RANGE}", "export")]


@pytest.fixture
def reader(client, monkeypatch):
    rates = {"user": "100/min", "chart": "2/min", "export": "2/min"}
    monkeypatch.setattr(PersonThrottle, "THROTTLE_RATES", rates)
    cache.clear()
    make_instrument()
    client.force_login(get_user_model().objects.create_user("reader"))
    return client


@pytest.mark.parametrize(("page", "scope"), PAGES)
def test_above_the_limit_one_is_told_when_to_come_back(reader, page, scope):
    assert [reader.get(page).status_code for _ in range(3)] == [200, 200, 429]
    refusal = reader.get(page)
    assert 1 <= int(refusal["Retry-After"]) <= 60
    assert f"wait {refusal['Retry-After']} s" in refusal.json()["error"]


def test_files_charts_and_people_are_counted_apart(reader, client):
    for page, _ in PAGES[::2]:
        assert [reader.get(page).status_code for _ in range(3)][-1] == 429
    client.force_login(get_user_model().objects.create_user("other"))
    assert client.get(PAGES[0][0]).status_code == 200


def test_a_cache_that_is_down_lets_charts_pass(reader, settings):
    there = settings.CACHES["default"]
    settings.CACHES = {"default": {**there, "LOCATION": "redis://127.0.0.1:1/0"}}
    with pytest.raises(RedisError):
        cache.get("x")
    assert [reader.get(PAGES[0][0]).status_code for _ in range(4)] == [200] * 4
