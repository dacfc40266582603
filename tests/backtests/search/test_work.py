"""Doing searches: every trial is a backtest, and whoever does it, the same comes out."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models.functions import Now

from backtests.models import Search, SearchBatch, Trial
from backtests.requests import BacktestRequest
from backtests.searches import (
    SearchRefused,
    cancel_search,
    delete_search,
    pause_search,
    resume_search,
)
from backtests.searching import batches, work
from backtests.services import request_backtest, run_now
from marketdata.models import Instrument
from tcpdashboard.common.jobs.lease import claim
from tcpdashboard.common.jobs.run import JobRun, JobStopped
from tcpdashboard.common.jobs.runner import run_job
from tcpdashboard.common.models import Job
from tests.backtests.conftest import ASKED, wave, with_candles
from tests.backtests.search.conftest import GRID, KINDS, asked, done, stored
from tests.marketdata.api.conftest import START_MS

HOLDOUT = {"kind": "holdout", "share": 0.4}

pytestmark = pytest.mark.usefixtures("btc")


def test_a_grid_tries_every_combination_and_tells_which_cannot_be():
    search = done(asked())
    trials = {
        (trial.parameters["fast"], trial.parameters["slow"]): trial for trial in search.trials.all()
    }
    assert sorted(trials) == [(fast, slow) for fast in (3, 4, 5, 6) for slow in (5, 9, 12)]
    refused = {pair for pair, trial in trials.items() if trial.state == "refused"}
    assert refused == {(5, 5), (6, 5)}
    assert "below slow" in trials[6, 5].error
    assert search.summary["trials"] == {"done": 10, "refused": 2, "failed": 0}


@pytest.mark.parametrize("kind", KINDS)
def test_every_trial_has_the_figures_of_a_backtest_of_its_own(kind):
    search = done(asked(**KINDS[kind]))
    trials = search.trials.filter(state="done")
    assert len(trials) > 5
    for trial in trials[:6]:
        single = run_now(
            BacktestRequest(
                strategy=search.strategy,
                exchange="okx-sim",
                symbol="BTC-USDT",
                timeframe=search.timeframe,
                start_ms=GRID["start_ms"],
                end_ms=GRID["end_ms"],
                parameters=trial.parameters,
            )
        )
        assert trial.metrics == single.metrics
        assert trial.objective == single.metrics["total_return"]


class Impatient(threading.Event):
    """A shutdown that comes when it was looked at so often."""

    def __init__(self, looks):
        super().__init__()
        self.left = looks

    def is_set(self):
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_taken_up_again_and_again_finds_what_an_undisturbed_one_does(kind, monkeypatch):
    undisturbed = done(asked(**KINDS[kind], validation=HOLDOUT))
    monkeypatch.setattr(batches, "BATCH", 3)
    search = asked(**KINDS[kind], validation=HOLDOUT)
    job, interruptions = search.jobs.order_by("pk").first().pk, 0
    while run_job(job, Impatient(9 + interruptions)) != "done":
        interruptions += 1
        assert Job.objects.get(pk=job).state == "queued"
        assert interruptions < 100
    assert interruptions > 2
    search = Search.objects.get(pk=search.pk)
    assert stored(search) == stored(undisturbed)
    assert search.summary == undisturbed.summary
    assert (search.done, search.state) == (search.total, "done")


def test_what_a_dead_worker_took_is_done_by_another_as_soon_as_its_lease_is_over():
    search = asked()
    first, second = search.jobs.order_by("pk")[0], search.jobs.order_by("pk").last()
    lease, job = claim(first.pk)
    with JobRun(lease, job, threading.Event()) as run:
        batch = batches.take(search, run)
        assert (batch.first, batch.job_id) == (0, first.pk)
        assert batches.take(search, run).pk == batch.pk
    Job.objects.filter(pk=first.pk).update(lease_expires_at=Now() - timedelta(seconds=1))
    # The first is the only job of a search of one batch.
    assert run_job(second.pk) == "done"
    assert Search.objects.get(pk=search.pk).state == "done"
    with pytest.raises(JobStopped), transaction.atomic():
        batches.finish_trials(run, batch, [])
    assert search.trials.count() == 12


def test_two_workers_never_have_the_same_batch(monkeypatch):
    monkeypatch.setattr(batches, "BATCH", 3)
    search = asked()
    taken = []
    for job in search.jobs.order_by("pk"):
        lease, row = claim(job.pk)
        with JobRun(lease, row, threading.Event()) as run:
            taken.append(batches.take(search, run).pk)
    assert len(taken) == len(set(taken)) == 4


def test_orders_pause_it_let_it_go_on_and_end_it(settings):
    search = asked()
    assert pause_search(search).state == "paused"
    assert run_job(search.jobs.first().pk) is None
    assert resume_search(search).state == "waiting"
    assert cancel_search(search).state == "cancelled"
    with pytest.raises(SearchRefused, match="it cannot be paused"):
        pause_search(search)
    delete_search(search)
    assert not Search.objects.exists()


@pytest.mark.parametrize(
    ("order", "state"), [(pause_search, "paused"), (cancel_search, "cancelled")]
)
def test_an_order_that_comes_between_two_batches_lets_no_other_begin(order, state, monkeypatch):
    monkeypatch.setattr(batches, "BATCH", 3)
    search = asked()
    tell, told = work.publish_search, []

    def told_and_ordered(number):
        if not told:
            order(search)
        told.append(number)
        return tell(number)

    monkeypatch.setattr(work, "publish_search", told_and_ordered)
    assert run_job(search.jobs.order_by("pk").first().pk) == state
    search = Search.objects.get(pk=search.pk)
    assert (search.state, search.done, search.trials.count()) == (state, 3, 3)


def test_a_share_lets_go_where_a_backtest_waits(monkeypatch):
    monkeypatch.setattr(batches, "BATCH", 3)
    search = asked()
    request_backtest(BacktestRequest(**ASKED))
    job = search.jobs.order_by("pk").first().pk
    assert run_job(job) == "queued"
    assert search.trials.count() == 0
    Job.objects.filter(kind="backtest").update(state="paused", desired="pause")
    assert run_job(job) == "done"


def test_the_best_are_tested_on_what_chose_nothing():
    search = done(asked(validation=HOLDOUT))
    (window,) = search.windows
    tested = search.trials.exclude(outside=None)
    assert tested.count() == 10
    best = tested.order_by("-objective", "number")[0]
    told = search.summary["best"][0]
    assert (told["number"], told["outside"]) == (best.number, best.outside)
    single = run_now(
        BacktestRequest(
            **{
                **ASKED,
                "parameters": best.parameters,
                "start_ms": window["test"][0],
                "end_ms": window["test"][1],
            }
        )
    )
    assert best.outside == single.metrics
    assert search.summary["decay"]["outside"] == single.metrics["total_return"]
    assert -1 <= search.summary["decay"]["rank_correlation"] <= 1
    assert search.summary["monte_carlo"]["outside"]["round_trips"] > 1


@pytest.mark.parametrize("mode", ["rolling", "anchored"])
def test_walk_forward_stitches_tests_of_the_best_of_each_window(mode):
    """Three days of candles: a day trains, the next tests; the third is half there."""
    with_candles(Instrument.objects.get(), wave(3 * 1440))
    search = done(
        asked(
            end_ms=START_MS + 60 * 3_600_000,
            validation={"kind": "walk_forward", "mode": mode, "train_days": 1, "test_days": 1},
        )
    )
    assert (search.total, search.done, len(search.windows)) == (24, 24, 2)
    told = search.summary["walk_forward"]
    grown = 1.0
    for number, window in enumerate(told["windows"]):
        best = search.trials.filter(window=number).exclude(objective=None)
        best = best.order_by("-objective", "number")[0]
        assert (window["number"], window["outside"]) == (best.number, best.outside)
        grown *= 1 + best.outside["total_return"]
    assert told["metrics"]["total_return"] == pytest.approx(grown - 1, rel=1e-9)
    trips = sum(window["outside"]["round_trips"] for window in told["windows"])
    assert told["metrics"]["round_trips"] == trips
    assert told["curve"]["time_ms"][-1] == START_MS + 60 * 3_600_000
    assert search.summary["trials"] == {"done": 20, "refused": 4, "failed": 0}


def test_a_search_does_not_go_on_over_candles_that_changed(monkeypatch):
    monkeypatch.setattr(batches, "BATCH", 3)
    search = asked()
    job = search.jobs.order_by("pk").first().pk
    assert run_job(job, Impatient(9)) == "queued"
    changed = wave()
    changed["close"][1000:1010] += 1
    changed["high"][1000:1010] += 1
    with_candles(Instrument.objects.get(), changed)
    assert run_job(job) == "failed"
    search.refresh_from_db()
    assert "changed since the search began" in search.error


def test_memory_is_bounded_whatever_the_grid():
    """What is held are the batches' numbers, not the combinations."""
    search = asked(space={"fast": {"min": 1, "max": 250}, "slow": {"min": 101, "max": 500}})
    assert search.total == 100_000
    rows = SearchBatch.objects.filter(search=search)
    assert rows.count() == -(-100_000 // batches.BATCH)
    assert not Trial.objects.exists()
