"""Handlers of jobs that only tests have, and their kinds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tcpdashboard.common.jobs.kinds import KINDS, JobKind
from tcpdashboard.common.jobs.run import JobRun
from tcpdashboard.common.models import Job
from tests.patience import Patience

started = threading.Event()
go_on = threading.Event()


class Busy(Exception):
    """What is needed is busy."""


@contextmanager
def kind(name: str, handler: str, **options) -> Iterator[None]:
    """Register a kind whose handler is a function of this module, for a while."""
    KINDS.register(JobKind(name, f"{__name__}.{handler}", **options))
    try:
        yield
    finally:
        KINDS._kinds.pop(name)


def count(run: JobRun) -> dict[str, int]:
    """Count to `to`, remembering after each how far it is."""
    at = run.checkpoint.get("at", 0)
    while at < run.parameters["to"]:
        at += 1
        run.save({"at": at}, done=at, message=f"at {at}")
    return {"counted": at}


def wait(run: JobRun) -> dict[str, str]:
    """Wait until a test says to go on, saving nothing."""
    started.set()
    patience = Patience()
    while not go_on.is_set():
        run.check()
        assert not patience.is_over(), "nobody said to go on"
        time.sleep(0.01)
    run.save({"waited": True}, done=1)
    return {"ended": "by itself"}


def find_busy(run: JobRun) -> dict[str, str]:
    """Find what is needed busy."""
    raise Busy("try again")


def break_down(run: JobRun) -> dict[str, str]:
    """Get halfway, then break."""
    run.save({"half": True}, done=1)
    raise ZeroDivisionError("a defect")


def make(kind: str = "count", **values) -> Job:
    """Return a stored job."""
    job = Job.objects.create(kind=kind, title=f"a job that is to {kind}", **values)
    job.refresh_from_db()
    return job
