"""A collector has at most one holder, whoever asks and whatever dies."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from marketdata.models import Collector, Instrument
from marketdata.storage.locks import check_fence
from marketdata.supervision.lease import Lease, Report, acquire, due, release, renew
from tests.patience import PATIENCE_S

LIVE = Report(Collector.State.LIVE, {"trades": 7}, exchange_ms=1_700_000_000_123)


@pytest.fixture(autouse=True)
def _simulated(settings):
    settings.EXCHANGE = "okx-sim"


@pytest.fixture
def collector(db):
    row = Collector.objects.create(name="okx-sim", exchange="okx-sim")
    instrument(row, "BTC-USDT")
    return row


def instrument(collector, symbol, *, is_enabled=True):
    base, quote = symbol.split("-")
    return Instrument.objects.create(
        exchange="okx-sim",
        symbol=symbol,
        kind="spot",
        base=base,
        quote=quote,
        tick_size="0.1",
        lot_size="0.00000001",
        min_size="0.00001",
        is_enabled=is_enabled,
        collector=collector,
    )


def expire(collector):
    Collector.objects.filter(pk=collector.pk).update(
        lease_expires_at=F("lease_expires_at") - timedelta(minutes=1)
    )


def test_a_free_collector_is_taken_and_its_token_rises(collector):
    lease = acquire(collector.pk)
    collector.refresh_from_db()
    assert lease is not None
    assert (lease.token, collector.fencing_token) == (1, 1)
    assert collector.lease_owner == lease.owner
    assert collector.state == Collector.State.STARTING
    assert timedelta(seconds=8) < collector.lease_expires_at - timezone.now()


def test_a_held_collector_is_refused(collector):
    acquire(collector.pk)
    assert acquire(collector.pk) is None


def test_a_stopped_collector_is_refused_to_the_sweep_but_not_to_a_foreground_run(collector):
    Collector.objects.update(desired=Collector.Desired.STOPPED)
    assert acquire(collector.pk) is None
    assert acquire(collector.pk, is_swept=False) is not None


def test_an_expired_lease_is_taken_over_with_a_higher_token(collector):
    first = acquire(collector.pk)
    expire(collector)
    second = acquire(collector.pk)
    assert second is not None
    assert second.token == first.token + 1
    assert renew(first, LIVE) is None
    assert not release(first, LIVE, at_once=True)
    assert renew(second, LIVE) is not None


def test_renewing_extends_the_lease_and_writes_the_report(collector):
    lease = acquire(collector.pk)
    expire(collector)
    orders = renew(lease, LIVE)
    collector.refresh_from_db()
    assert [spec.symbol for spec in orders.instruments] == ["BTC-USDT"]
    assert orders.is_wanted
    assert not orders.is_restart
    assert collector.lease_expires_at > timezone.now()
    assert collector.state == Collector.State.LIVE
    assert collector.counters == {"trades": 7}
    assert int(collector.exchange_time.timestamp() * 1000) == 1_700_000_000_123


def test_an_error_is_written_with_its_time_and_kept(collector):
    lease = acquire(collector.pk)
    renew(lease, Report(Collector.State.DEGRADED, error="connection refused"))
    renew(lease, LIVE)
    collector.refresh_from_db()
    assert collector.last_error == "connection refused"
    assert collector.last_error_at is not None


def test_a_restart_asked_for_during_the_run_is_told_and_an_older_one_is_not(collector):
    Collector.objects.update(restart_requested_at=timezone.now() - timedelta(seconds=5))
    lease = acquire(collector.pk)
    assert not renew(lease, LIVE).is_restart
    Collector.objects.update(restart_requested_at=timezone.now() + timedelta(seconds=1))
    assert renew(lease, LIVE).is_restart


def test_a_returned_lease_is_free_and_due_at_once(collector):
    assert due("okx-sim") == [collector.pk]
    lease = acquire(collector.pk)
    assert release(lease, Report(Collector.State.STOPPED), at_once=True)
    assert due("okx-sim") == [collector.pk]


def test_a_failed_run_waits_for_its_next_turn(collector):
    due("okx-sim")
    lease = acquire(collector.pk)
    release(lease, Report(Collector.State.FAILED, error="boom"), at_once=False)
    assert due("okx-sim") == []


def test_a_due_collector_is_asked_for_once_per_lease_length(collector):
    assert due("okx-sim") == [collector.pk]
    assert due("okx-sim") == []
    Collector.objects.update(requested_at=F("requested_at") - timedelta(seconds=11))
    assert due("okx-sim") == [collector.pk]


def test_what_is_held_stopped_idle_or_of_another_exchange_is_not_due(collector):
    held = Collector.objects.create(name="held", exchange="okx-sim")
    instrument(held, "ETH-USDT")
    acquire(held.pk)
    stopped = Collector.objects.create(name="stopped", exchange="okx-sim", desired="stopped")
    instrument(stopped, "SOL-USDT")
    idle = Collector.objects.create(name="idle", exchange="okx-sim")
    instrument(idle, "XRP-USDT", is_enabled=False)
    other = Collector.objects.create(name="other", exchange="okx")
    instrument(other, "LTC-USDT")
    assert due("okx-sim") == [collector.pk]


@pytest.mark.django_db(transaction=True)
def test_of_many_threads_that_ask_at_once_exactly_one_gets_the_lease():
    row = Collector.objects.create(name="contested", exchange="okx-sim")
    for token in range(1, 6):
        leases = race(lambda: acquire(row.pk), threads=8)
        assert [lease.token for lease in leases if lease is not None] == [token]
        expire(row)


@pytest.mark.django_db(transaction=True)
def test_of_many_sweeps_at_once_exactly_one_asks_for_the_collector():
    row = Collector.objects.create(name="contested", exchange="okx-sim")
    instrument(row, "BTC-USDT")
    assert sorted(race(lambda: due("okx-sim"), threads=8)) == [[]] * 7 + [[row.pk]]


@pytest.mark.django_db(transaction=True)
def test_a_collector_whose_row_somebody_holds_delays_no_other():
    held, free = (
        Collector.objects.create(name=name, exchange="okx-sim") for name in ("held", "free")
    )
    instrument(held, "BTC-USDT")
    instrument(free, "ETH-USDT")
    locked, asked = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic(), connection.cursor() as cursor:
            check_fence(cursor, held.pk, held.fencing_token)
            locked.set()
            asked.wait(PATIENCE_S)

    def ask():
        locked.wait(PATIENCE_S)
        try:
            return due("okx-sim")
        finally:
            asked.set()

    assert [found for found in race(hold, ask) if found is not None] == [[free.pk]]
    assert due("okx-sim") == [held.pk]


@pytest.mark.django_db(transaction=True)
def test_a_take_over_and_a_late_renewal_never_both_succeed():
    row = Collector.objects.create(name="contested", exchange="okx-sim")
    for _ in range(10):
        held = acquire(row.pk)
        expire(row)
        results = race(lambda: acquire(row.pk), lambda held=held: renew(held, LIVE))
        takers = [result for result in results if isinstance(result, Lease)]
        renewed = [result for result in results if result and not isinstance(result, Lease)]
        assert len(takers) + len(renewed) == 1
        Collector.objects.update(lease_expires_at=None)


def race(*calls, threads=None):
    calls = calls * threads if threads else calls
    barrier, results = threading.Barrier(len(calls)), []

    def run(call):
        try:
            barrier.wait()
            results.append(call())
        finally:
            connection.close()

    runners = [threading.Thread(target=run, args=(call,)) for call in calls]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    return results
