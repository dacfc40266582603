"""Orders to a search at which two real workers are, and what its person is told when it ends."""

from __future__ import annotations

import time

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from backtests.searches import cancel_search, pause_search, resume_search
from backtests.searching.batches import BATCH
from tests.backtests.conftest import wave, with_candles
from tests.backtests.search.conftest import asked, done, stored, told
from tests.backtests.search.test_kills import SEARCHES, now, stack
from tests.marketdata.api.conftest import client_of, make_instrument
from tests.patience import Witness, until

WORKERS = 2
PAUSED_S = 5.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("queues"),
    pytest.mark.django_db(transaction=True),
]


def test_orders_stop_two_workers_within_a_batch_each_and_lose_nothing(tmp_path):
    with_candles(make_instrument("BTC-USDT"), wave(6 * 1440))
    person = get_user_model().objects.create_user("trader")
    with stack(tmp_path):
        search = begun("grid")
        with Witness() as witness:
            pause_search(search)
            ordered_at, stored_by_then = time.monotonic(), now(search).done
            until(lambda: now(search).state == "paused")
            took_s = time.monotonic() - ordered_at
        assert took_s < PAUSED_S + witness.longest_s
        paused = now(search)
        assert stored_by_then <= paused.done <= stored_by_then + WORKERS * BATCH
        assert paused.trials.count() == paused.done < paused.total
        resume_search(search)
        until(lambda: now(search).state == "done", seconds=180)
        other = begun("random", owner=person)
        stored_by_then = now(cancel_search(other)).done
        until(lambda: now(other).state == "cancelled")
        until(lambda: not other.jobs.exclude(lease_owner="").exists())
    assert stored(search) == stored(undisturbed := done(asked(**SEARCHES["grid"])))
    assert told(now(search)) == told(undisturbed)
    cancelled = now(other)
    assert stored_by_then <= cancelled.done <= stored_by_then + WORKERS * BATCH
    keeps_what_was_done_and_says_so(cancelled, person)


def begun(kind, owner=None):
    """Return a search that its workers are in the middle of."""
    search = asked(owner, **SEARCHES[kind])
    until(lambda: now(search).done > 0)
    return search


def keeps_what_was_done_and_says_so(search, person):
    kept = search.trials.count()
    assert 0 < kept == search.done < search.total
    shown = client_of(person).get(f"/api/v1/searches/{search.pk}/").json()
    assert (shown["state"], shown["done"], shown["total"]) == ("cancelled", kept, search.total)
    assert client_of(person).get(f"/api/v1/searches/{search.pk}/trials/").json()["total"] == kept
    browser = Client()
    browser.force_login(person)
    page = " ".join(browser.get(f"/backtests/searches/{search.pk}/").content.decode().split())
    assert (
        f"{kept:,} of {search.total:,} trials: those that were done when it was cancelled" in page
    )
