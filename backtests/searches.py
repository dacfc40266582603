"""Asking for a search, and what may be asked of it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Model

from backtests.domain.records import KERNEL_VERSION
from backtests.domain.trading_json import trading_as_json
from backtests.loading import CandlesMoved
from backtests.models import Search
from backtests.requests import check_data
from backtests.searching.asking import PreparedSearch, SearchRequest, prepare_search
from backtests.searching.batches import plan
from backtests.searching.publishing import publish_search
from marketdata.models import from_ms
from tcpdashboard.common.jobs.kinds import JobKind
from tcpdashboard.common.jobs.orders import (
    JobRefused,
    cancel_job,
    create_job,
    pause_job,
    resume_job,
)
from tcpdashboard.common.models import Job
from tcpdashboard.common.refusals import Refused

SEARCH: Final = JobKind(
    name="search",
    handler="backtests.searching.work.run_search",
    queue="backtests",
    unit="trials",
    retry_on=(CandlesMoved,),
)

_AT_WORK: Final = (Job.State.RUNNING, Job.State.CANCELLING)


class SearchRefused(Refused):
    """What was asked of a search cannot be done as it stands: the message says why."""


def request_search(
    request: SearchRequest,
    owner: Model | None = None,
    *,
    tags: tuple[str, ...] = (),
    notes: str = "",
) -> Search:
    """Store what is asked for and the jobs that share it; return it.

    `owner` is a user; None is the system. Raises InvalidBacktest, naming each field, also where
    too few of the range's candles are complete.
    """
    prepared = prepare_search(request)
    with prepared.sample, transaction.atomic():
        check_data(prepared.sample, is_hashed=False)
        told = {"owner": owner, "tags": list(tags), "notes": notes}
        search = Search.objects.create(**told, **_asked_values(request, prepared))
        batches = plan(search)
        title = f"search {search.pk}: {request.strategy} on {prepared.sample.instrument}"
        for _ in range(min(settings.SEARCH_WORKERS, batches)):
            search.jobs.add(create_job(SEARCH.name, title, {"search": search.pk}, owner=owner))
    return found_search(search.pk)


def found_search(number: int) -> Search:
    """Return a search with all that its state depends on. Raises Search.DoesNotExist."""
    return (
        Search.objects.select_related("owner", "instrument").prefetch_related("jobs").get(pk=number)
    )


def pause_search(search: Search) -> Search:
    """Let its workers stop at their next trial. Raises SearchRefused when it is over."""
    return _ordered(search, "paused", pause_job)


def resume_search(search: Search) -> Search:
    """Let a paused or failed search go on from what is stored. Raises SearchRefused."""
    return _ordered(search, "resumed", resume_job)


def cancel_search(search: Search) -> Search:
    """Let its workers stop for good; the trials that are stored stay. Raises SearchRefused."""
    return _ordered(search, "cancelled", cancel_job)


def at_work(search: Search) -> bool:
    """Return whether a worker is at it."""
    return any(job.state in _AT_WORK for job in search.jobs.all())


def delete_search(search: Search) -> None:
    """Forget a search and its trials. Raises SearchRefused while it is at work."""
    with transaction.atomic():
        jobs = Job.objects.select_for_update().filter(searches=search)
        if any(job.state in _AT_WORK for job in jobs):
            raise SearchRefused(f"{search} is at work: cancel it first")
        for job in jobs.active():
            cancel_job(job)
        search.delete()


def _ordered(search: Search, order: str, give: Callable[[Job], None]) -> Search:
    """Give an order to all jobs of a search; refused when none of them can follow it."""
    given = [_try(give, job) for job in Job.objects.filter(searches=search).order_by("pk")]
    now = found_search(search.pk)
    transaction.on_commit(lambda: publish_search(search.pk))
    if now.finished_at is not None or not any(given):
        raise SearchRefused(f"{search} is {now.state}: it cannot be {order}")
    return now


def _try(give: Callable[[Job], None], job: Job) -> bool:
    try:
        give(job)
    except JobRefused:
        return False
    return True


def _asked_values(request: SearchRequest, prepared: PreparedSearch) -> dict[str, Any]:
    sample = prepared.sample
    return {
        "strategy": request.strategy,
        "parameters": prepared.space.fixed,
        "space": prepared.space.as_json(),
        "method": request.method,
        "count": prepared.count,
        "seed": request.seed,
        "objective": request.objective,
        "is_maximised": prepared.is_maximised,
        "source_hash": sample.source_hash,
        "instrument": sample.instrument,
        "timeframe": sample.timeframe,
        "start": from_ms(request.start_ms),
        "end": from_ms(request.end_ms),
        "trading": trading_as_json(sample.trading),
        "validation": request.validation.get("kind", Search.Validation.NONE),
        "windows": [window.as_json() for window in prepared.windows],
        "engine_version": KERNEL_VERSION,
        "total": prepared.total,
    }
