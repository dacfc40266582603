"""What a handler has in hand while it does a job: parameters, checkpoint, progress, the way out."""

from __future__ import annotations

import threading
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection, connections

from tcpdashboard.common.conflation import ConflatingPublisher
from tcpdashboard.common.jobs.lease import Lease, holds, renew
from tcpdashboard.common.jobs.progress import job_state
from tcpdashboard.common.models import Job
from tcpdashboard.common.realtime import TopicPublisher

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

log = structlog.get_logger(__name__)


class Stop(StrEnum):
    """Why a worker lets go of a job that is not finished."""

    PAUSED = "it is to pause"
    CANCELLED = "it is to be cancelled"
    SHUTDOWN = "the worker ends"
    LOST = "another worker has it"
    YIELDED = "others wait for a worker"


_ORDERS: Final = {Job.Desired.PAUSE: Stop.PAUSED, Job.Desired.CANCEL: Stop.CANCELLED}


class JobStopped(Exception):
    """The handler is to end now, without a result; what it saved stays."""

    def __init__(self, reason: Stop) -> None:
        super().__init__(reason.value)
        self.reason = reason


class JobRun:
    """One worker's hold on one job. Its lease is renewed by a thread while it is entered.

    Methods may be called from any thread.
    """

    def __init__(self, lease: Lease, job: Job, shutdown: threading.Event) -> None:
        self._lease, self._job, self._shutdown = lease, job, shutdown
        self._ordered: Stop | None = None
        self._ended = threading.Event()
        self._renewal = threading.Thread(target=self._renew, name=f"job-{job.pk}", daemon=True)
        self._out = ConflatingPublisher(TopicPublisher(settings.REDIS_URL), f"job-{job.pk}-out")
        self._log = log.bind(job=job.pk, kind=job.kind, fencing_token=lease.token)

    def __enter__(self) -> JobRun:
        self._renewal.start()
        self.publish()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._renewal.join(1.0)
        self._out.close(1.0)

    @property
    def id(self) -> int:
        return self._lease.job_id

    @property
    def token(self) -> int:
        """The fencing token of this hold: no other worker ever has the same for this job."""
        return self._lease.token

    @property
    def parameters(self) -> dict[str, Any]:
        """What the job was created with."""
        return dict(self._job.parameters)

    @property
    def checkpoint(self) -> dict[str, Any]:
        """What was saved last, by this worker or an earlier one; empty at the beginning."""
        return dict(self._job.checkpoint)

    @property
    def owner(self) -> int | None:
        """The user who asked for it; None is the system."""
        return self._job.owner_id

    @property
    def done(self) -> int:
        return self._job.done

    @property
    def stop(self) -> Stop | None:
        """Why to end now; None while there is no reason. Looks at memory only."""
        if self._ordered is not None:
            return self._ordered
        return Stop.SHUTDOWN if self._shutdown.is_set() else None

    def check(self) -> None:
        """Raise JobStopped when there is a reason to end. Costs nothing: call it often."""
        if self.stop is not None:
            raise JobStopped(self.stop)

    def save(
        self,
        checkpoint: dict[str, Any] | None = None,
        *,
        done: int | None = None,
        total: int | None = None,
        message: str | None = None,
    ) -> None:
        """Write how far the job is, then raise JobStopped when there is a reason to end."""
        self.note(checkpoint, done=done, total=total, message=message)
        self.check()

    def note(
        self,
        checkpoint: dict[str, Any] | None = None,
        *,
        done: int | None = None,
        total: int | None = None,
        message: str | None = None,
    ) -> None:
        """Write how far the job is; for the transaction that stores what was done until there.

        Raises JobStopped only when another worker has the job: nothing is written then.
        """
        given = {"checkpoint": checkpoint, "done": done, "total": total, "message": message}
        values = {name: value for name, value in given.items() if value is not None}
        if checkpoint is not None:
            values["attempts"] = 1
        self._obey(renew(self._lease, **values))
        if self._ordered is Stop.LOST:
            raise JobStopped(Stop.LOST)
        for name, value in values.items():
            setattr(self._job, name, value)
        self.publish()

    def fence(self, cursor: CursorWrapper) -> None:
        """Raise JobStopped unless this worker still has the job; first in a transaction.

        Until the transaction ends nobody can take the job over.
        """
        if not holds(cursor, self._lease):
            self._ordered = Stop.LOST
            raise JobStopped(Stop.LOST)

    def publish(self, *, final: bool = False) -> None:
        """Tell browsers how far it is, a few times a second at most; never waits."""
        self._out.offer(self._job.topic, {"job": job_state(self._job)}, final=final)

    def ended(self, job: Job) -> None:
        """Take over how the row stands after the end, and tell it."""
        self._job = job
        self.publish(final=True)

    def _renew(self) -> None:
        while not self._ended.wait(settings.JOB_RENEW_SECONDS):
            try:
                self._obey(renew(self._lease))
            except DatabaseError as error:
                # The work goes on: the token guards what it writes.
                self._log.warning("job_lease_not_renewed", error=str(error).strip())
                connection.close()
        connections.close_all()

    def _obey(self, desired: str | None) -> None:
        """Remember what the row asks for; a job that was lost stays lost."""
        if desired is None:
            self._ordered = Stop.LOST
        elif self._ordered is not Stop.LOST:
            self._ordered = _ORDERS.get(Job.Desired(desired))
