"""/api/v1/collectors/ shows the collectors and lets staff start, stop and restart them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from marketdata.models import Collector, CollectorRestart
from tests.marketdata.api.conftest import make_instrument

URL = "/api/v1/collectors/"


@pytest.fixture
def collector(db):
    row = Collector.objects.create(name="okx-sim", exchange="okx-sim", counters={"trades": 3})
    make_instrument("BTC-USDT", is_enabled=True, collector=row)
    make_instrument("ETH-USDT", is_enabled=False, collector=row)
    return row


def test_everybody_sees_how_the_collectors_are(reader, collector):
    [shown] = reader.get(URL).json()
    assert shown["name"] == "okx-sim"
    assert shown["desired"] == "running"
    assert shown["state"] == "stopped"
    assert shown["symbols"] == ["BTC-USDT"]
    assert shown["counters"] == {"trades": 3}
    assert reader.get(f"{URL}okx-sim/").json().items() >= shown.items()


def test_one_collector_shows_its_channels_and_why_it_was_started_again(reader, collector):
    channels = {
        "BTC-USDT": {
            "event_ms": 1_700_000_000_000,
            "channels": {"trades-all": {"state": "live", "feed": "business", "age_s": 0.4}},
        }
    }
    Collector.objects.update(channels=channels, health="live")
    CollectorRestart.objects.create(
        collector=collector,
        fencing_token=2,
        reason="crash",
        error="ValueError: boom",
        holder="box:1:ab",
        down_since=datetime(2026, 1, 5, 12, 0, tzinfo=UTC),
        live_at=datetime(2026, 1, 5, 12, 0, 7, tzinfo=UTC),
    )
    shown = reader.get(f"{URL}okx-sim/").json()
    assert (shown["health"], shown["channels"]) == ("live", channels)
    [restart] = shown["restarts"]
    assert (restart["reason"], restart["error"], restart["down_s"]) == (
        "crash",
        "ValueError: boom",
        7.0,
    )
    assert restart["holder"] == "box:1:ab"


def test_nobody_sees_the_lease(staff, collector):
    assert not {"lease_owner", "fencing_token"} & set(staff.get(f"{URL}okx-sim/").json())


def test_staff_stop_start_and_restart(staff, collector):
    assert staff.post(f"{URL}okx-sim/stop/").json()["desired"] == "stopped"
    assert staff.post(f"{URL}okx-sim/start/").json()["desired"] == "running"
    staff.post(f"{URL}okx-sim/stop/")
    assert staff.post(f"{URL}okx-sim/restart/").json()["desired"] == "running"
    collector.refresh_from_db()
    assert collector.restart_requested_at is not None


@pytest.mark.parametrize("action", ["start", "stop", "restart"])
def test_others_may_not(reader, collector, action):
    assert reader.post(f"{URL}okx-sim/{action}/").status_code == 403
    collector.refresh_from_db()
    assert collector.desired == "running"


def test_an_unknown_collector_is_not_found(staff, db):
    assert staff.post(f"{URL}nobody/stop/").status_code == 404
