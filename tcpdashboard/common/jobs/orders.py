"""What may be asked of jobs: create, pause, resume, cancel."""

from __future__ import annotations

from typing import Any

import structlog
from django.db import transaction
from django.db.models import Model

from tcpdashboard.common.alerts import end_alert
from tcpdashboard.common.hints import hint
from tcpdashboard.common.jobs.kinds import KINDS
from tcpdashboard.common.jobs.progress import publish_job
from tcpdashboard.common.jobs.runner import FAILED_ALERT
from tcpdashboard.common.models import Job
from tcpdashboard.common.refusals import Refused
from tcpdashboard.common.tasks import run_job

log = structlog.get_logger(__name__)


class JobRefused(Refused):
    """What was asked of a job cannot be done as it stands: the message says why."""


def create_job(
    kind: str,
    title: str,
    parameters: dict[str, Any],
    *,
    owner: Model | None = None,
    total: int | None = None,
) -> Job:
    """Return a new job, which a worker takes after the commit, at once or by the next sweep.

    `owner` is a user; None is the system. Raises LookupError for an unknown kind.
    """
    job = Job.objects.create(
        kind=kind,
        title=title[:200],
        parameters=parameters,
        owner=owner,  # type: ignore[misc]
        total=total,
        unit=KINDS.get(kind).unit,
    )
    job.refresh_from_db()
    _ask_for(job)
    log.info("job_created", job=job.pk, kind=kind, title=title)
    return job


def pause_job(job: Job) -> None:
    """Let the worker stop at its next step and keep the rest. Raises JobRefused when it is over."""
    row = Job.objects.filter(pk=job.pk)
    waits = row.filter(state=Job.State.QUEUED).move(Job.State.PAUSED, desired=Job.Desired.PAUSE)
    running = row.filter(state=Job.State.RUNNING)
    if not waits and not running.update(desired=Job.Desired.PAUSE):
        _refuse_unless(job, "paused", Job.State.PAUSED)
    _tell(job)


def resume_job(job: Job) -> None:
    """Let a paused or failed job go on from its checkpoint. Raises JobRefused for others."""
    row = Job.objects.filter(pk=job.pk)
    waiting = row.filter(state__in=(Job.State.PAUSED, Job.State.FAILED)).move(
        Job.State.QUEUED,
        desired=Job.Desired.RUN,
        attempts=0,
        error="",
        requested_at=None,
        retry_at=None,
    )
    # Its worker may not have heard of the pause yet.
    running = row.filter(state=Job.State.RUNNING)
    if not waiting and not running.update(desired=Job.Desired.RUN):
        _refuse_unless(job, "resumed", Job.State.QUEUED)
    end_alert(FAILED_ALERT, str(job))
    _tell(job)
    if waiting:
        _ask_for(job)


def cancel_job(job: Job) -> None:
    """Let the worker stop at its next step for good; a failed job is not to be resumed any more.

    What was stored until then stays. Raises JobRefused when it is done.
    """
    row = Job.objects.filter(pk=job.pk)
    wanted = {"desired": Job.Desired.CANCEL}
    waits = row.exclude(state__in=(Job.State.RUNNING, Job.State.CANCELLING))
    if not waits.move(Job.State.CANCELLED, **wanted) and not row.filter(
        state=Job.State.RUNNING
    ).move(Job.State.CANCELLING, **wanted):
        _refuse_unless(job, "cancelled", Job.State.CANCELLING, Job.State.CANCELLED)
    end_alert(FAILED_ALERT, str(job))
    _tell(job)


def _ask_for(job: Job) -> None:
    queue = KINDS.get(job.kind).queue
    transaction.on_commit(lambda: hint(run_job, job.pk, queue=queue))


def _refuse_unless(job: Job, order: str, *fine: str) -> None:
    """Raise JobRefused unless the job is already what was asked for."""
    job.refresh_from_db()
    if job.state not in fine:
        raise JobRefused(f"job {job.pk} is {job.get_state_display().lower()}: it cannot be {order}")


def _tell(job: Job) -> None:
    job.refresh_from_db()
    log.info("job_asked", job=job.pk, desired=job.desired, state=job.state)
    transaction.on_commit(lambda: publish_job(job))
