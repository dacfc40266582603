"""The batches of a search: making them, and giving each to one worker at a time.

A batch belongs to a worker while the worker's job holds its lease. One whose worker died is free
again as soon as the lease has run out or another worker has taken the job over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.db import connection
from django.db.models import F
from django.db.models.functions import Coalesce, Now

from backtests.models import Search, SearchBatch, Trial
from strategies.domain.registry import STRATEGIES
from tcpdashboard.common.jobs.run import JobRun

BATCH: Final = 64
BATCH_OF_OWN: Final = 4
"""Trials; an own strategy's process takes a moment for each."""

GENERATION: Final = 16
"""Trials that Optuna suggests at once, each without knowing what comes of the others."""

GENERATION_BATCH: Final = 4

_TAKE: Final = """
update backtests_searchbatch set job_id = %(job)s, token = %(token)s
where id = (
    select batch.id from backtests_searchbatch batch
    left join common_job job on job.id = batch.job_id
    where batch.search_id = %(search)s and not batch.is_done
      and (batch.job_id is null or batch.job_id = %(job)s or job.fencing_token <> batch.token
           or job.lease_expires_at is null or job.lease_expires_at < now())
    order by batch.id limit 1 for update of batch skip locked
) returning id
"""


def plan(search: Search) -> int:
    """Make the first batches of a search; return how many workers can be at work at once."""
    windows = range(len(search.windows))
    if search.method == Search.Method.OPTUNA:
        made = [_suggestions(search, window, 0) for window in windows]
        workers = len(made) * (GENERATION // GENERATION_BATCH)
    else:
        size = BATCH if search.strategy in STRATEGIES else BATCH_OF_OWN
        made = [
            batch for window in windows for batch in _trials(search, window, 0, search.count, size)
        ]
        workers = len(made)
    SearchBatch.objects.bulk_create(made)
    return workers


def take(search: Search, run: JobRun) -> SearchBatch | None:
    """Give a free batch to the worker of `run`; None when there is none just now."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"search": search.pk, "job": run.id, "token": run.token})
        found = cursor.fetchone()
    return SearchBatch.objects.get(pk=found[0]) if found else None


def finish_trials(run: JobRun, batch: SearchBatch, trials: Sequence[Trial]) -> None:
    """Store the trials of a batch and make what follows; in the transaction of the progress.

    Another worker that has taken the batch meanwhile stores the same: then nothing is stored here.
    """
    if not _finish(run, batch):
        return
    Trial.objects.bulk_create(trials, batch_size=500)
    Search.objects.filter(pk=batch.search_id).update(
        done=F("done") + batch.count, started_at=Coalesce(F("started_at"), Now())
    )
    run.note(done=run.done + batch.count)
    _follow(batch)


def finish_suggestions(
    run: JobRun, batch: SearchBatch, parameters: Sequence[dict[str, Any]]
) -> None:
    """Store what is to be tried, as batches that several workers can take."""
    if not _finish(run, batch):
        return
    made = list(_trials(batch.search, batch.window, batch.first, batch.count, GENERATION_BATCH))
    for one in made:
        begin = one.first - batch.first
        one.parameters = list(parameters[begin : begin + one.count])
    SearchBatch.objects.bulk_create(made)


def finish_sum(run: JobRun, batch: SearchBatch, values: dict[str, Any]) -> bool:
    """Store what came out of a search; return whether nobody else did."""
    if not _finish(run, batch):
        return False
    Search.objects.filter(pk=batch.search_id).update(finished_at=Now(), error="", **values)
    return True


def _finish(run: JobRun, batch: SearchBatch) -> bool:
    with connection.cursor() as cursor:
        run.fence(cursor)
    # Whoever finishes a batch waits here for others, and so sees which of them are the last.
    Search.objects.select_for_update().get(pk=batch.search_id)
    own = SearchBatch.objects.filter(pk=batch.pk, job=run.id, token=run.token, is_done=False)
    return bool(own.update(is_done=True))


def _follow(batch: SearchBatch) -> None:
    """Make the batches that had to wait for this one, if it was the last of its step."""
    search = batch.search
    is_open = SearchBatch.objects.filter(search=search, is_done=False)
    if is_open.filter(window=batch.window).exists():
        return
    last = SearchBatch.objects.filter(search=search, window=batch.window).order_by("first").last()
    done = last.first + last.count if last else 0
    if done < search.count:
        _suggestions(search, batch.window, done).save()
    elif not is_open.exists():
        SearchBatch(search=search, kind=SearchBatch.Kind.SUM).save()


def _suggestions(search: Search, window: int, first: int) -> SearchBatch:
    count = min(GENERATION, search.count - first)
    kind = SearchBatch.Kind.SUGGEST
    return SearchBatch(search=search, kind=kind, window=window, first=first, count=count)


def _trials(search: Search, window: int, first: int, count: int, size: int) -> list[SearchBatch]:
    return [
        SearchBatch(
            search=search, window=window, first=begin, count=min(size, first + count - begin)
        )
        for begin in range(first, first + count, size)
    ]
