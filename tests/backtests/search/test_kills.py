"""Both workers of a search are killed at random moments, under beat's own sweep and real leases."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection

from backtests.models import Search
from tcpdashboard.supervisor.plan import COMPUTER
from tests.backtests.conftest import wave, with_candles
from tests.backtests.search.conftest import asked, done, last_batch_kept, locked, stored, told
from tests.marketdata.api.conftest import START_MS, make_instrument
from tests.marketdata.processes import BEAT, Celery, celery
from tests.patience import Witness, until

NOWHERE = SimpleNamespace(rest="http://127.0.0.1:9", websocket="ws://127.0.0.1:9")
SWEEPS = ("worker", "-Q", "ticks,default", "-P", "threads", "-c", "2", "--loglevel", "info")
RESUMED_S = 30.0
DAYS = 6
SPAN = {"timeframe": "1m", "end_ms": START_MS + DAYS * 86_400_000}
NARROW = {"space": {"fast": {"min": 2, "max": 61}, "slow": {"min": 62, "max": 111}}}
GRID = {"space": {"fast": {"min": 2, "max": 61}, "slow": {"min": 62, "max": 261}}}
HOLDOUT = {"validation": {"kind": "holdout", "share": 0.3}}
WALK = {"kind": "walk_forward", "mode": "rolling", "train_days": 2, "test_days": 1}
SEARCHES: dict[str, dict[str, Any]] = {
    "grid": {**SPAN, **GRID, **HOLDOUT},
    "random": {**SPAN, **GRID, **HOLDOUT, "method": "random", "count": 12_000, "seed": 7},
    "optuna": {**SPAN, **GRID, **HOLDOUT, "method": "optuna", "count": 400, "seed": 7},
    "walk_forward": {**SPAN, **NARROW, "validation": WALK},
}


class Workers:
    """Two workers of backtests of one process each, which a supervisor would start anew."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._stack, self.started = folder, ExitStack(), 0
        self.two = [self._start(), self._start()]

    def _start(self) -> Celery:
        self.started += 1
        folder = self._folder / f"worker-{self.started}"
        folder.mkdir()
        name = ("-n", f"backtests-{self.started}@%h")
        options = ("worker", "-Q", "backtests", "-c", "1", *name, *COMPUTER, "--loglevel", "info")
        return self._stack.enter_context(celery(options, NOWHERE, folder))

    def kill(self, places: list[int]) -> None:
        """Kill workers with all of their processes at once, and start others in their place."""
        for place in places:
            self.two[place].kill()
        for place in places:
            self.two[place] = self._start()

    def close(self) -> None:
        self._stack.close()


@contextmanager
def stack(folder: Path) -> Iterator[Workers]:
    """Run beat, the worker that its sweeps go to, and two workers of backtests."""
    folders = [folder / name for name in ("beat", "sweeps")]
    for one in folders:
        one.mkdir()
    with celery(BEAT, NOWHERE, folders[0]), celery(SWEEPS, NOWHERE, folders[1]) as sweeps:
        workers = Workers(folder)
        try:
            for worker in (sweeps, *workers.two):
                until(lambda log=worker.log: "ready." in log.read_text(), worker.log.read_text)
            yield workers
        finally:
            workers.close()


def now(search: Search) -> Search:
    return Search.objects.get(pk=search.pk)


def not_over_before(search: Search) -> AbstractContextManager[None]:
    """Keep a search from ending; that of Optuna, whose batches follow each other, is slow."""
    return nullcontext() if search.method == "optuna" else last_batch_kept(search)


def left_open(search: Search) -> set[int]:
    """Return the batches that somebody took and nobody has done."""
    taken = search.batches.filter(is_done=False).exclude(job=None)
    return set(taken.values_list("pk", flat=True))


@pytest.mark.slow
@pytest.mark.timeout(420)
@pytest.mark.usefixtures("queues")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", SEARCHES)
def test_killed_at_random_moments_it_goes_on_within_30_s_and_ends_as_undisturbed(
    kind, tmp_path, settings
):
    # No share waits for a worker: nothing goes on before the sweep finds those of the dead.
    settings.SEARCH_WORKERS = 2
    seed = time.time_ns()
    print(f"seed {seed}")
    moments = random.Random(seed)
    first = moments.uniform(0.02, 0.35)
    second = moments.uniform(first + 0.1, 0.7)
    with_candles(make_instrument("BTC-USDT"), wave(DAYS * 1440))
    with stack(tmp_path) as workers:
        search = asked(**SEARCHES[kind])
        for share, places in ((first, [0, 1]), (second, [moments.randrange(2)])):
            with Witness() as witness:
                with not_over_before(search):
                    until(lambda share=share: now(search).done >= share * search.total)
                    time.sleep(moments.uniform(0, 0.05))
                    killed_at = time.monotonic()
                    workers.kill(places)
                    open_ones, done_then = left_open(search), now(search).done
                assert done_then < search.total, "it was over before its workers were killed"
                until(lambda ones=open_ones: not ones & left_open(search))
                until(lambda then=done_then: now(search).done > then)
                took_s = time.monotonic() - killed_at
            print(f"{places} killed at {done_then} of {search.total}: {took_s:.1f} s")
            assert took_s < RESUMED_S + witness.longest_s
        until(lambda: now(search).state == "done", seconds=180)
    assert now(search).done == search.total == search.trials.count()
    undisturbed = done(asked(**SEARCHES[kind]))
    assert stored(search) == stored(undisturbed)
    assert told(now(search)) == told(undisturbed)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("queues")
@pytest.mark.django_db(transaction=True)
def test_killed_in_the_transaction_of_its_sum_it_is_summed_up_again_and_once(tmp_path, settings):
    settings.SEARCH_WORKERS = 2
    with_candles(make_instrument("BTC-USDT"), wave(DAYS * 1440))
    with stack(tmp_path) as workers:
        search = asked(**SPAN, **NARROW, **HOLDOUT)
        trials = "select from backtests_trial where search_id = %s"
        with ExitStack() as held:
            with last_batch_kept(search):
                until(lambda: not search.batches.filter(is_done=False)[1:].exists())
                # What the best came to out of sample is written last, and waits for their rows.
                held.enter_context(locked(trials, search))
            until(waits_for_trials)
            workers.kill([0, 1])
            killed_at = time.monotonic()
            assert now(search).summary == {}
            assert not search.trials.exclude(outside=None).exists()
        with Witness() as witness:
            until(lambda: now(search).state == "done")
            took_s = time.monotonic() - killed_at
        assert took_s < RESUMED_S + witness.longest_s
    assert search.batches.filter(kind="sum").count() == 1
    undisturbed = done(asked(**SPAN, **NARROW, **HOLDOUT))
    assert stored(search) == stored(undisturbed)
    assert told(now(search)) == told(undisturbed)


def waits_for_trials() -> bool:
    """Whether a session is kept from writing trials by one that holds them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists(select from pg_stat_activity where datname = current_database()"
            " and wait_event_type = 'Lock' and query ilike 'update \"backtests_trial\"%%')"
        )
        return bool(cursor.fetchone()[0])
