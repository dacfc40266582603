"""Workers of backtests that share a search, one of which is killed in the middle of it."""

from __future__ import annotations

import os
import signal
import time
from types import SimpleNamespace

import pytest

from backtests.models import Search
from tcpdashboard.common.models import Job
from tcpdashboard.common.tasks import sweep_jobs
from tcpdashboard.supervisor.plan import COMPUTER
from tests.backtests.conftest import with_candles
from tests.backtests.search.conftest import asked, done, stored
from tests.marketdata.api.conftest import make_instrument
from tests.marketdata.processes import celery

WORKER = ("worker", "-Q", "backtests", "-c", "2", *COMPUTER, "--loglevel", "info")
NOWHERE = SimpleNamespace(rest="http://127.0.0.1:9", websocket="ws://127.0.0.1:9")
LARGE = {
    "timeframe": "1m",
    "space": {"fast": {"min": 2, "max": 41}, "slow": {"min": 42, "max": 141}},
    "validation": {"kind": "holdout", "share": 0.3},
}
SWEEP_S = 3.0
"""As often as beat asks for what nobody does."""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("queues")
@pytest.mark.django_db(transaction=True)
def test_a_search_whose_worker_is_killed_ends_as_an_undisturbed_one(tmp_path):
    with_candles(make_instrument("BTC-USDT"))
    with celery(WORKER, NOWHERE, tmp_path) as worker:
        await_(lambda: "ready." in worker.log.read_text(), 120)
        search = asked(**LARGE)
        await_(lambda: Search.objects.get(pk=search.pk).done > 0, 60)
        victim = search.jobs.exclude(lease_owner="").order_by("pk").first()
        os.kill(int(victim.lease_owner.split(":")[1]), signal.SIGKILL)
        killed_at = time.monotonic()
        left = Search.objects.get(pk=search.pk)
        assert left.done < left.total, "it was over before its worker was killed"
        again_s = await_(lambda: is_taken_again(victim), 60)
        assert again_s < 30
        await_(lambda: Search.objects.get(pk=search.pk).state == "done", 200)
    assert time.monotonic() - killed_at < 200
    search = Search.objects.get(pk=search.pk)
    assert search.done == search.total == 4_000
    undisturbed = done(asked(**LARGE))
    assert stored(search) == stored(undisturbed)
    assert search.summary == undisturbed.summary


def is_taken_again(victim):
    """Tell whether another worker has, or had, the job that the dead one held."""
    now = Job.objects.get(pk=victim.pk)
    return now.fencing_token > victim.fencing_token


def await_(is_so, most_s):
    """Wait until something is so, asking for work as beat does; return the seconds it took."""
    began = swept_at = time.monotonic()
    while not is_so():
        now = time.monotonic()
        assert now - began < most_s, "it did not come"
        if now - swept_at > SWEEP_S:
            sweep_jobs()
            swept_at = now
        time.sleep(0.05)
    return time.monotonic() - began
