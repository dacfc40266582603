"""Workers of backtests that share a search, one of which is killed in the middle of it."""

from __future__ import annotations

import os
import signal
import time
from types import SimpleNamespace

import pytest
from django.db.models.functions import Now

from backtests.models import Search
from tcpdashboard.common.models import Job
from tcpdashboard.common.tasks import sweep_jobs
from tcpdashboard.supervisor.plan import COMPUTER
from tests.backtests.conftest import with_candles
from tests.backtests.search.conftest import asked, done, last_batch_kept, stored, told
from tests.marketdata.api.conftest import make_instrument
from tests.marketdata.processes import celery
from tests.patience import Patience

WORKER = ("worker", "-Q", "backtests", "-c", "2", *COMPUTER, "--loglevel", "info")
NOWHERE = SimpleNamespace(rest="http://127.0.0.1:9", websocket="ws://127.0.0.1:9")
LARGE = {
    "timeframe": "1m",
    "space": {"fast": {"min": 2, "max": 41}, "slow": {"min": 42, "max": 91}},
    "validation": {"kind": "holdout", "share": 0.3},
}
LEASE_S, RENEW_S = 4.0, 1.0
SWEEP_S = 1.0


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("queues")
@pytest.mark.django_db(transaction=True)
def test_a_search_whose_worker_is_killed_ends_as_an_undisturbed_one(tmp_path, settings):
    # What an installation takes until a dead worker's share is asked for again.
    assert settings.JOB_LEASE_SECONDS + settings.JOB_SWEEP_SECONDS < 30
    settings.JOB_LEASE_SECONDS = LEASE_S
    leases = {"TCPD_JOB_LEASE_SECONDS": str(LEASE_S), "TCPD_JOB_RENEW_SECONDS": str(RENEW_S)}
    with_candles(make_instrument("BTC-USDT"))
    with celery(WORKER, NOWHERE, tmp_path, **leases) as worker:
        await_(lambda: "ready." in worker.log.read_text(), 120)
        search = asked(**LARGE)
        with last_batch_kept(search):
            await_(lambda: Search.objects.get(pk=search.pk).done > 0, 60)
            victim = search.jobs.exclude(lease_owner="").order_by("pk").first()
            os.kill(int(victim.lease_owner.split(":")[1]), signal.SIGKILL)
            left = Search.objects.get(pk=search.pk)
            assert left.done < left.total, "it was over before its worker was killed"
        assert sweeps_behind_the_lease(victim) <= 1
        await_(lambda: is_taken_again(victim), 120)
        await_(lambda: Search.objects.get(pk=search.pk).state == "done", 120)
    search = Search.objects.get(pk=search.pk)
    assert search.done == search.total == 2_000
    undisturbed = done(asked(**LARGE))
    assert stored(search) == stored(undisturbed)
    assert told(search) == told(undisturbed)


def is_asked_for_again(victim):
    """Tell whether a sweep has found the job that the dead one held."""
    asked_at = Job.objects.get(pk=victim.pk).requested_at
    return asked_at is not None and asked_at > victim.lease_expires_at


def sweeps_behind_the_lease(victim):
    """Sweep until one has found the dead one's job; return how many began behind its lease."""
    dead = Job.objects.get(pk=victim.pk)
    count, patience = 0, Patience()
    while not is_asked_for_again(dead):
        assert not patience.is_over(), "no sweep asks for it"
        count += Job.objects.filter(pk=dead.pk, lease_expires_at__lt=Now()).exists()
        sweep_jobs()
        time.sleep(0.05)
    return count


def is_taken_again(victim):
    """Tell whether another worker has, or had, the job that the dead one held."""
    now = Job.objects.get(pk=victim.pk)
    return now.fencing_token > victim.fencing_token


def await_(is_so, most_s):
    """Wait until something is so, asking for work as beat does."""
    began = swept_at = time.monotonic()
    while not is_so():
        now = time.monotonic()
        assert now - began < most_s, "it did not come"
        if now - swept_at > SWEEP_S:
            sweep_jobs()
            swept_at = now
        time.sleep(0.05)
