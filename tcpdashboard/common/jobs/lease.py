"""The lease on a job: at most one worker, by the database's clock, fenced by a rising token."""

from __future__ import annotations

import os
import secrets
import socket
import zlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Value
from django.db.models.functions import Coalesce, Now

from tcpdashboard.common.jobs.kinds import KINDS, JobKind
from tcpdashboard.common.models import Job
from tcpdashboard.common.models.jobs import JobQuerySet

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

# First key of the advisory locks under which jobs of one kind are counted and taken.
_KIND: Final = 7105

# Found once, whatever the planner thinks of the table: looked for again after the first was
# stamped, others would come in its place, and be more than may run.
_DUE: Final = """
with due as materialized (
    select id from common_job
    where kind = %(kind)s and state in ('queued', 'running') and desired = 'run'
      and (lease_expires_at is null or lease_expires_at < now())
      and (retry_at is null or retry_at <= now())
      and (requested_at is null or requested_at < now() - make_interval(secs => %(again)s))
    order by id limit %(room)s for update skip locked
)
update common_job set requested_at = now() from due where common_job.id = due.id
returning common_job.id
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do one job, until it is not renewed for the lease's length."""

    job_id: int
    owner: str
    token: int


def claim(job_id: int) -> tuple[Lease, Job] | None:
    """Take a job that nobody does, raising its fencing token; None when it may not be taken.

    It may not when it is held, not wanted, waiting for its retry, or as many of its kind as may
    run at once are running.
    """
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"[-128:]
    with transaction.atomic():
        kind = Job.objects.filter(pk=job_id).values_list("kind", flat=True).first()
        if kind is None or not _has_room(KINDS.get(kind)):
            return None
        free = Job.objects.unheld().filter(pk=job_id, desired=Job.Desired.RUN)
        if not free.exclude(retry_at__gt=Now()).move(
            Job.State.RUNNING,
            lease_owner=owner,
            lease_expires_at=_expiry(),
            fencing_token=F("fencing_token") + 1,
            attempts=F("attempts") + 1,
            started_at=Coalesce(F("started_at"), Now()),
            retry_at=None,
        ):
            return None
        job = Job.objects.get(pk=job_id)
    return Lease(job_id, owner, job.fencing_token), job


def renew(lease: Lease, **values: Any) -> str | None:
    """Extend the lease, write `values`, and return what is desired; None when it was lost.

    A lease that ran out but was taken by nobody (the database was away) is renewed.
    """
    if not held(lease).update(lease_expires_at=_expiry(), updated_at=Now(), **values):
        return None
    return held(lease).values_list("desired", flat=True).first()


def held(lease: Lease) -> JobQuerySet:
    """Return the job while the lease is held, nothing afterwards."""
    return Job.objects.filter(
        pk=lease.job_id, lease_owner=lease.owner, fencing_token=lease.token
    ).exclude(lease_owner="")


def holds(cursor: CursorWrapper, lease: Lease) -> bool:
    """Tell whether the lease is held; nobody can take it over until the transaction ends."""
    cursor.execute(
        "select 1 from common_job where id = %s and lease_owner = %s and fencing_token = %s"
        " for no key update",
        [lease.job_id, lease.owner, lease.token],
    )
    return cursor.fetchone() is not None


def due() -> list[Job]:
    """Return the jobs that should run and have no worker, each once per lease length.

    Oldest first, and of each kind no more than may begin now. The request is stamped by the
    statement that finds it, so any number of sweeps may run.
    """
    ids: list[int] = []
    with connection.cursor() as cursor:
        for kind in KINDS:
            room = None if kind.at_once is None else max(0, kind.at_once - _running(kind))
            again = settings.JOB_LEASE_SECONDS
            cursor.execute(_DUE, {"kind": kind.name, "again": again, "room": room})
            ids += [row[0] for row in cursor.fetchall()]
    return list(Job.objects.filter(pk__in=ids).order_by("pk"))


def settle_orphans() -> int:
    """Bring jobs whose worker died into the state they should be in; return how many.

    What was to be paused or cancelled is; what killed its workers too often has failed.
    """
    orphans = Job.objects.unheld().filter(state__in=(Job.State.RUNNING, Job.State.CANCELLING))
    settled = orphans.filter(desired=Job.Desired.CANCEL).move(Job.State.CANCELLED)
    settled += orphans.filter(desired=Job.Desired.PAUSE).move(Job.State.PAUSED)
    for kind in KINDS:
        settled += orphans.filter(kind=kind.name, attempts__gte=kind.attempts).move(
            Job.State.FAILED,
            error=f"its worker died {kind.attempts} times without getting further",
        )
    return settled


def _has_room(kind: JobKind) -> bool:
    if kind.at_once is None:
        return True
    with connection.cursor() as cursor:
        key = zlib.crc32(kind.name.encode()) >> 1
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", [_KIND, key])
    return _running(kind) < kind.at_once


def _running(kind: JobKind) -> int:
    return Job.objects.filter(kind=kind.name, lease_expires_at__gte=Now()).count()


def _expiry() -> ExpressionWrapper[Any]:
    length = Value(timedelta(seconds=settings.JOB_LEASE_SECONDS))
    return ExpressionWrapper(Now() + length, output_field=DateTimeField())
