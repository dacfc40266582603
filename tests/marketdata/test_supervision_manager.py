"""All collectors of an exchange: shared out, started again within a budget, and accounted for."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from marketdata import services
from marketdata.models import Collector, CollectorRestart, Instrument, RestartReason
from marketdata.supervision.budget import Budget
from marketdata.supervision.lease import Report, acquire, release, renew
from marketdata.supervision.manager import CollectorManager
from marketdata.supervision.restarts import note_lost
from tcpdashboard.common.models import Alert
from tests.marketdata.api.conftest import make_instrument

pytestmark = pytest.mark.django_db

STARTING = Report(Collector.State.STARTING)
LIVE = Report(Collector.State.LIVE, is_live_now=True)
FAILED = Report(Collector.State.FAILED, error="ValueError: boom")


@pytest.fixture(autouse=True)
def _simulated(settings):
    settings.EXCHANGE = "okx-sim"
    settings.COLLECTOR_RESTARTS_PER_HOUR = 3
    settings.COLLECTOR_COOLDOWN_SECONDS = 900


@pytest.fixture
def collector():
    row = Collector.objects.create(name="okx-sim", exchange="okx-sim")
    make_instrument("BTC-USDT", is_enabled=True, collector=row)
    return row


def sweep():
    """Sweep as if the last request were long ago."""
    Collector.objects.update(requested_at=None)
    return CollectorManager("okx-sim").sweep()


def fail(collector):
    """Let a collector start and crash."""
    lease = acquire(collector.pk)
    assert lease is not None
    release(lease, FAILED, at_once=False, reason=RestartReason.CRASH)


def vanish(collector):
    """Let a collector start and its worker die."""
    lease = acquire(collector.pk)
    minute_ago = timezone.now() - timedelta(minutes=1)
    Collector.objects.update(lease_expires_at=minute_ago)
    return lease


def pass_time(seconds):
    """Move all that happened into the past."""
    back = timedelta(seconds=seconds)
    Collector.objects.exclude(ended_at=None).update(ended_at=F("ended_at") - back)
    CollectorRestart.objects.update(at=F("at") - back)


def reasons(collector):
    return list(collector.restarts.order_by("fencing_token").values_list("reason", flat=True))


# ------------------------------------------------------------------ sharing out
def test_enabled_instruments_are_shared_out_over_as_many_collectors_as_needed(settings):
    settings.COLLECTOR_INSTRUMENTS = 2
    for symbol in ("A-USDT", "B-USDT", "C-USDT", "D-USDT", "E-USDT"):
        services.enable_instrument(make_instrument(symbol))
    names = Instrument.objects.order_by("symbol").values_list("collector__name", flat=True)
    assert list(names) == ["okx-sim", "okx-sim", "okx-sim-2", "okx-sim-2", "okx-sim-3"]


def test_a_lower_limit_moves_the_last_ones_and_nobody_else(settings, collector):
    for symbol in ("ADA-USDT", "ETH-USDT", "SOL-USDT"):
        make_instrument(symbol, is_enabled=True, collector=collector)
    settings.COLLECTOR_INSTRUMENTS = 2
    moved = CollectorManager("okx-sim").assign()
    assert moved == {"ETH-USDT": "okx-sim-2", "SOL-USDT": "okx-sim-2"}
    assert CollectorManager("okx-sim").assign() == {}
    assert sweep() == list(Collector.objects.order_by("pk").values_list("pk", flat=True))


def test_collectors_with_other_names_keep_what_they_have(settings, collector):
    settings.COLLECTOR_INSTRUMENTS = 1
    mine = Collector.objects.create(name="foreground", exchange="okx-sim", desired="stopped")
    make_instrument("ETH-USDT", is_enabled=True, collector=mine)
    other = Collector.objects.create(name="okx", exchange="okx")
    make_instrument("LTC-USDT", exchange="okx", is_enabled=True, collector=other)
    assert CollectorManager("okx-sim").assign() == {}


def test_five_hundred_instruments_make_five_collectors(settings):
    settings.COLLECTOR_INSTRUMENTS = 100
    rows = [make_instrument(f"C{number:03d}-USDT", is_enabled=True) for number in range(500)]
    CollectorManager("okx-sim").assign()
    counts = Counter(Instrument.objects.values_list("collector__name", flat=True))
    assert counts == {
        "okx-sim": 100,
        **{f"okx-sim-{number}": 100 for number in range(2, 6)},
    }
    assert len(rows) == 500


# ------------------------------------------------------------------ the budget
@pytest.mark.parametrize(
    ("restarts", "rest_s"),
    [(0, 0), (1, 1), (2, 2), (3, 4), (8, 120), (9, 120), (10, 900), (11, 900)],
)
def test_the_rest_before_a_restart_doubles_and_ends_in_a_cool_down(restarts, rest_s):
    assert Budget(10, 1.0, 900.0).rest_s(restarts) == rest_s


def test_a_crash_is_followed_by_a_restart_at_once_and_then_by_longer_and_longer_rests(collector):
    fail(collector)
    assert sweep() == [collector.pk]
    fail(collector)
    assert sweep() == []
    pass_time(1)
    assert sweep() == [collector.pk]


def test_too_many_restarts_are_a_failure_that_is_told_and_tried_again_after_a_cool_down(collector):
    for _ in range(4):
        fail(collector)
    pass_time(60)
    assert sweep() == []
    collector.refresh_from_db()
    assert collector.state == Collector.State.FAILED
    alert = Alert.objects.open().get(kind="collector_failed", subject="okx-sim")
    assert "failed 3 times within an hour" in alert.message
    assert alert.details == {"last_error": "ValueError: boom"}
    assert sweep() == []
    assert Alert.objects.get().count == 1, "it is one trouble, however long it lasts"

    pass_time(850)
    assert sweep() == [collector.pk]
    assert Alert.objects.open().exists(), "nobody knows yet whether it is over"
    renew(acquire(collector.pk), LIVE)
    sweep()
    assert not Alert.objects.open().exists()


def test_a_person_who_starts_it_again_forgives_what_was(collector):
    for _ in range(4):
        fail(collector)
    assert sweep() == []
    services.request_start(collector)
    assert sweep() == [collector.pk]
    fail(collector)
    assert collector.restarts.count() == 4


def test_a_person_who_stops_it_ends_the_alert(collector):
    for _ in range(4):
        fail(collector)
    sweep()
    services.request_stop(collector)
    sweep()
    assert not Alert.objects.open().exists()


def test_restarts_that_were_asked_for_cost_nothing(collector):
    for reason in (RestartReason.ASKED, RestartReason.SHUTDOWN) * 4:
        release(acquire(collector.pk), STARTING, at_once=True, reason=reason)
        assert sweep() == [collector.pk]


def test_workers_that_die_again_and_again_are_a_failure_too(collector):
    for _ in range(4):
        vanish(collector)
    Collector.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert sweep() == []
    assert Alert.objects.open().filter(kind="collector_failed").exists()


# ------------------------------------------------------------------ the history
def test_the_first_start_ever_is_no_restart(collector):
    renew(acquire(collector.pk), LIVE)
    assert reasons(collector) == []


def test_each_restart_says_why_who_and_for_how_long_nobody_collected(collector):
    fail(collector)
    pass_time(30)
    lease = acquire(collector.pk)
    renew(lease, LIVE)
    restart = collector.restarts.get()
    assert (restart.reason, restart.error) == ("crash", "ValueError: boom")
    assert restart.holder == lease.owner
    assert restart.down_s == pytest.approx(30, abs=2)


def test_a_restart_is_down_until_everything_is_subscribed(collector):
    fail(collector)
    renew(acquire(collector.pk), STARTING)
    assert collector.restarts.get().down_s is None


def test_a_worker_that_died_and_one_that_only_stood_still_are_told_apart(collector):
    vanish(collector)
    vanish(collector)
    stood_still = vanish(collector)
    acquire(collector.pk)
    assert reasons(collector) == ["failover", "failover", "failover"]
    note_lost(stood_still)
    assert reasons(collector) == ["failover", "failover", "lease lost"]
    assert collector.restarts.first().down_since is not None


def test_every_end_gives_the_next_start_its_reason(collector):
    for reason in (RestartReason.STALLED, RestartReason.SHUTDOWN, RestartReason.ASKED):
        release(acquire(collector.pk), STARTING, at_once=True, reason=reason)
    acquire(collector.pk)
    assert reasons(collector) == ["stalled", "shutdown", "asked"]
