"""What a search needs of memory depends on a batch and a page, not on how much is searched."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backtests.models import Search, SearchBatch, Trial
from backtests.searching import batches
from backtests.storage.trials import trials_csv
from tcpdashboard.common.jobs.runner import run_job
from tests.backtests.search.conftest import asked, done
from tests.backtests.search.test_work import Impatient

MB = 1_000_000
MILLION: dict[str, Any] = {
    "strategy": "macd",
    "space": {
        "fast": {"min": 1, "max": 100},
        "slow": {"min": 101, "max": 200},
        "signal": {"min": 1, "max": 100},
    },
}
TRIALS = 100_000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.usefixtures("btc")]


def peak_of(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return how many bytes Python held at most beyond those before, and what came out."""
    gc.collect()
    tracemalloc.start()
    try:
        found = call()
        return tracemalloc.get_traced_memory()[1], found
    finally:
        tracemalloc.stop()


def test_asking_for_a_million_combinations_makes_their_batches_and_none_of_them(settings):
    settings.SEARCH_MOST_TRIALS = 10**6
    asked()
    peak, search = peak_of(lambda: asked(**MILLION))
    assert search.total == 10**6
    rows = SearchBatch.objects.filter(search=search)
    assert rows.count() == 10**6 // batches.BATCH
    assert not rows.exclude(parameters=None).exists()
    assert not Trial.objects.exists()
    assert peak < 20 * MB


def test_a_worker_holds_a_batch_of_a_million_combinations_and_stores_each_as_it_ends(settings):
    settings.SEARCH_MOST_TRIALS = 10**6
    space = {**MILLION["space"], "fast": {"values": [3, 5]}, "signal": {"values": [9]}}
    small = asked(**{**MILLION, "space": space})
    # What is imported and cached at the first use is of no search.
    run_job(small.jobs.order_by("pk").first().pk, Impatient(150))
    small_peak, _ = peak_of(lambda: share_of(asked(**{**MILLION, "space": space})))
    search = asked(**MILLION)
    with CaptureQueriesContext(connection) as queries:
        peak, _ = peak_of(lambda: share_of(search))
    stored = search.trials.count()
    assert 0 < stored < 10 * batches.BATCH
    statements = [str(one["sql"]) for one in queries]
    written = [sql for sql in statements if "INSERT" in sql and "backtests_trial" in sql]
    assert len(written) == stored / batches.BATCH
    assert peak < small_peak + 2 * MB


def share_of(search: Search) -> None:
    """Do a few batches of a search."""
    assert run_job(search.jobs.order_by("pk").first().pk, Impatient(150)) == "queued"


@pytest.fixture
def hundred_thousand():
    """A finished search, with as many trials as one may have."""
    search = done(asked(owner=get_user_model().objects.create_user("trader")))
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into backtests_trial"
            ' (search_id, "window", number, parameters, state, objective, metrics, error)'
            ' select search_id, "window", 12 + at, parameters, state, objective + at * 1e-9,'
            " metrics, error from backtests_trial cross join generate_series(0, %s) at"
            " where search_id = %s and number = 0",
            [TRIALS - 13, search.pk],
        )
    Search.objects.filter(pk=search.pk).update(total=TRIALS, done=TRIALS)
    return search


PATHS = (
    ("/backtests/searches/{}/", 100_000),
    ("/backtests/searches/{}/trials?page=3999", 50_000),
    ("/backtests/searches/{}/heat?x=fast&y=slow", 50_000),
    ("/api/v1/searches/{}/trials/?limit=5000", 8 * MB),
    ("/api/v1/searches/{}/columns/?most=5000", 2 * MB),
    ("/api/v1/searches/{}/heat/?x=fast&y=slow", 20_000),
)


def test_a_hundred_thousand_trials_are_read_by_the_page_and_exported_by_the_block(hundred_thousand):
    browser = Client()
    browser.force_login(hundred_thousand.owner)
    assert hundred_thousand.trials.count() == TRIALS
    for path, most in PATHS:
        address = path.format(hundred_thousand.pk)
        browser.get(address)
        peak, answer = peak_of(lambda address=address: browser.get(address))
        assert answer.status_code == 200, address
        assert len(answer.content) < most, (address, len(answer.content))
        assert peak < (40 if address.startswith("/api/") else 4) * MB, (address, peak)
    peak, lines = peak_of(lambda: sum(1 for _ in trials_csv(hundred_thousand)))
    assert lines == TRIALS + 1
    assert peak < 10 * MB
