"""Does one job under its lease, from taking it to the state it ends in."""

from __future__ import annotations

import random
import threading
from datetime import timedelta
from typing import Any, Final

import structlog
from django.db import Error as DatabaseError
from django.db.models import F, Value
from django.db.models.functions import Greatest, Now

from tcpdashboard.common.alerts import raise_alert
from tcpdashboard.common.jobs.kinds import KINDS, JobKind
from tcpdashboard.common.jobs.lease import Lease, claim, held
from tcpdashboard.common.jobs.run import JobRun, JobStopped, Stop
from tcpdashboard.common.models import Job
from tcpdashboard.common.shutdown import SHUTDOWN

RETRY_S: Final = (5.0, 300.0)
FAILED_ALERT: Final = "job_failed"

log = structlog.get_logger(__name__)


def run_job(job_id: int, shutdown: threading.Event = SHUTDOWN) -> str | None:
    """Do a job if it is free; return the state it was left in, None when it was not taken or lost.

    A worker that loses the database lets go without a word: the sweep finds the job once the
    lease has run out.
    """
    if shutdown.is_set():
        return None
    taken = claim(job_id)
    if taken is None:
        return None
    lease, job = taken
    kind = KINDS.get(job.kind)
    log.info("job_taken", job=job.pk, kind=job.kind, title=job.title, attempt=job.attempts)
    with JobRun(lease, job, shutdown) as run:
        try:
            state = _do(run, kind, lease)
        except DatabaseError as error:
            log.warning("job_left_to_the_sweep", job=job.pk, error=str(error).strip())
            return None
        if state is not None:
            run.ended(Job.objects.get(pk=job.pk))
        log.info("job_left", job=job.pk, kind=job.kind, state=state)
        return state


def _do(run: JobRun, kind: JobKind, lease: Lease) -> str | None:
    try:
        result = kind.load()(run)
    except JobStopped as stopped:
        # A shutdown is none of the job's failures.
        attempts = Greatest(F("attempts") - 1, Value(0))
        return None if stopped.reason is Stop.LOST else _leave(lease, attempts=attempts)
    except DatabaseError:
        raise
    except kind.retry_on as error:
        return _retry(lease, kind, error)
    except Exception as error:
        log.exception("job_failed", job=lease.job_id, kind=kind.name)
        return _fail(lease, error)
    return _move(lease, Job.State.DONE, result=result, error="", message="")


def _leave(lease: Lease, **values: Any) -> str | None:
    """Give the job back as its row wants it now: an order may have been taken back meanwhile."""
    wanted = held(lease)
    if wanted.filter(desired=Job.Desired.CANCEL).move(Job.State.CANCELLED):
        return Job.State.CANCELLED
    if wanted.filter(desired=Job.Desired.PAUSE).move(Job.State.PAUSED, **values):
        return Job.State.PAUSED
    return _move(lease, Job.State.QUEUED, requested_at=None, **values)


def _retry(lease: Lease, kind: JobKind, error: Exception) -> str | None:
    attempts = held(lease).values_list("attempts", flat=True).first()
    if attempts is None:
        return None
    if attempts >= kind.attempts:
        return _fail(lease, error)
    wait_s = min(RETRY_S[1], RETRY_S[0] * 2 ** (attempts - 1)) * random.uniform(0.5, 1)  # noqa: S311
    log.warning("job_waits", job=lease.job_id, error=_named(error), seconds=round(wait_s, 1))
    return _leave(lease, error=_named(error), retry_at=Now() + timedelta(seconds=wait_s))


def _fail(lease: Lease, error: Exception) -> str | None:
    state = _move(lease, Job.State.FAILED, error=_named(error))
    if state is not None:
        job = Job.objects.get(pk=lease.job_id)
        raise_alert(
            FAILED_ALERT,
            str(job),
            f"{job.title} failed: {job.error}: resume it in the admin",
        )
    return state


def _move(lease: Lease, state: Job.State, **values: Any) -> str | None:
    return state if held(lease).move(state, **values) else None


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
