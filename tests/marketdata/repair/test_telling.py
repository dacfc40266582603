"""How all gaps stand is told live, small whatever there is."""

from __future__ import annotations

import json

import pytest
import redis
from django.conf import settings

from marketdata.models import DataGap, from_ms
from marketdata.publishing import GAPS_TOPIC
from marketdata.repair.listing import LATEST, gap_overview
from marketdata.repair.telling import tell_gaps
from tests.marketdata.storage.builders import make_instrument

pytestmark = pytest.mark.django_db


@pytest.fixture
def market():
    return make_instrument("BTC-USDT", "okx-sim")


def make_gaps(market, number, **values):
    for row in range(number):
        start, end = from_ms(row * 120_000), from_ms(row * 120_000 + 60_000)
        DataGap.objects.create(
            instrument=market, kind="candles", cause="outage", start=start, end=end, **values
        )


def test_states_are_counted_and_the_latest_are_shown(market):
    make_gaps(market, LATEST + 7)
    DataGap.objects.filter(start=from_ms(0)).move(DataGap.State.REPAIRED, filled_with="candles")
    shown = gap_overview()
    assert shown["counts"] == {
        "open": LATEST + 6,
        "repairing": 0,
        "repaired": 1,
        "unrepairable": 0,
    }
    assert len(shown["latest"]) == LATEST
    assert shown["latest"][0]["state"] == "repaired"
    assert len(json.dumps(shown)) < 32_000


def test_a_gap_moves_only_along_the_table(market):
    make_gaps(market, 1)
    gap = DataGap.objects.all()
    assert gap.move(DataGap.State.REPAIRED) == 1
    assert gap.move(DataGap.State.REPAIRING) == 0
    assert gap.move(DataGap.State.UNREPAIRABLE) == 0
    assert gap.get().closed_at is not None
    assert gap.move(DataGap.State.OPEN) == 1
    assert gap.get().closed_at is None


def test_everything_is_published(market):
    make_gaps(market, 2)
    tell_gaps()
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        keys = [key.decode() for key in client.keys("*") if GAPS_TOPIC.encode() in key]
    assert keys, "the topic's last message is kept for who comes later"
