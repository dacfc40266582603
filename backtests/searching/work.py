"""One worker's share of a search: batch after batch, until nothing is left or somebody waits.

Every batch follows from the search and from what is stored alone, so it does not matter who does
it, how often it is begun, and in which order batches end.
"""

from __future__ import annotations

import time
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.models.functions import Now

from backtests.domain.search.space import Space
from backtests.domain.search.windows import Window
from backtests.models import Search, SearchBatch, Trial
from backtests.searching.batches import finish_suggestions, finish_sum, finish_trials, take
from backtests.searching.evaluating import Outcome, Outdated, Trials
from backtests.searching.publishing import publish_search
from backtests.searching.summing import summed_up
from backtests.searching.telling import data_values
from strategies.domain.errors import StrategyError
from tcpdashboard.common.jobs.run import JobRun, JobStopped, Stop
from tcpdashboard.common.models import Job

WAIT_S: Final = 0.25
SHARE_S: Final = 10.0
"""A worker does another search's batches after so long, where one waits."""

log = structlog.get_logger(__name__)


def run_search(run: JobRun) -> dict[str, Any]:
    """Do a share of a search. Raises JobStopped, CandlesMoved, Outdated and StrategyError."""
    search = Search.objects.select_related("instrument").get(pk=run.parameters["search"])
    try:
        _share(run, search)
    except (Outdated, StrategyError) as error:
        Search.objects.filter(pk=search.pk, finished_at=None).update(error=str(error))
        raise
    finally:
        publish_search(search.pk)
    return {"search": search.pk, "trials": run.done}


def _share(run: JobRun, search: Search) -> None:
    trials: Trials | None = None
    began = time.monotonic()
    while not Search.objects.filter(pk=search.pk, finished_at__isnull=False).exists():
        # Not `check`: an order that came while the last batch was stored is in the row alone.
        run.save()
        _give_way(search, time.monotonic() - began)
        batch = take(search, run)
        if batch is None:
            time.sleep(WAIT_S)
            continue
        trials = trials or _begun(search)
        batch.search = search
        _WORK[SearchBatch.Kind(batch.kind)](run, batch, trials)
        publish_search(search.pk)


def _begun(search: Search) -> Trials:
    """Return the trials of a search with its candles, which are those that it began with."""
    trials = Trials(search)
    found = trials.load()
    first = Search.objects.filter(pk=search.pk, fingerprint="")
    first.update(started_at=Now(), **data_values(search, found))
    search.refresh_from_db(fields=("fingerprint",))
    trials.check(found)
    return trials


def _give_way(search: Search, worked_s: float) -> None:
    """Let go of the share where others wait: backtests at once, other searches in turns."""
    waiting = Job.objects.unheld().filter(
        state=Job.State.QUEUED, desired=Job.Desired.RUN, retry_at=None
    )
    others = waiting.filter(kind="search").exclude(searches=search)
    if waiting.filter(kind="backtest").exists() or (worked_s > SHARE_S and others.exists()):
        raise JobStopped(Stop.YIELDED)


def _try(run: JobRun, batch: SearchBatch, trials: Trials) -> None:
    search = batch.search
    window = Window.from_json(search.windows[batch.window])
    parameters = _parameters(search, batch, trials)
    outcomes = trials.outcomes(parameters, window.train, run.check)
    # What was refused, or could not be opened, may have been so with other code.
    trials.check_code()
    rows = [
        _row(batch, number, tried, outcome)
        for number, (tried, outcome) in enumerate(
            zip(parameters, outcomes, strict=True), start=batch.first
        )
    ]
    with transaction.atomic():
        finish_trials(run, batch, rows)


def _parameters(search: Search, batch: SearchBatch, trials: Trials) -> list[dict[str, Any]]:
    """Return what is tried in a batch, in the order of its numbers."""
    if batch.parameters is not None:
        return list(batch.parameters)
    space = Space.from_json(search.space, search.parameters)
    numbers = range(batch.first, batch.first + batch.count)
    if search.method == Search.Method.GRID:
        return [space.at(number) for number in numbers]
    return [trials.drawn(space, search.seed, number) for number in numbers]


def _row(batch: SearchBatch, number: int, parameters: dict[str, Any], outcome: Outcome) -> Trial:
    return Trial(
        search=batch.search,
        window=batch.window,
        number=number,
        parameters=parameters,
        state=outcome.state,
        objective=outcome.metrics.get(batch.search.objective),
        metrics=outcome.metrics,
        error=outcome.error,
    )


def _suggest(run: JobRun, batch: SearchBatch, _trials: Trials) -> None:
    from backtests.searching.suggesting import suggested

    parameters = suggested(batch.search, batch.window, batch.first, batch.count)
    with transaction.atomic():
        finish_suggestions(run, batch, parameters)


def _sum(run: JobRun, batch: SearchBatch, trials: Trials) -> None:
    summed = summed_up(batch.search, trials, run.check)
    trials.check_code()
    with transaction.atomic():
        if finish_sum(run, batch, {"summary": summed.summary}):
            Trial.objects.bulk_update(summed.tested, ["outside"])
    log.info("search_done", search=batch.search_id, trials=batch.search.total)


_WORK: Final = {
    SearchBatch.Kind.TRIALS: _try,
    SearchBatch.Kind.SUGGEST: _suggest,
    SearchBatch.Kind.SUM: _sum,
}
