"""A job is done once, by one worker at a time, whatever happens to its workers."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from datetime import timedelta

import pytest
import redis
from django.conf import settings as django_settings
from django.db import IntegrityError, connection, connections, transaction
from django.db.models.functions import Now
from django.utils import timezone

from tcpdashboard.common.jobs.kinds import KINDS, JobKind, JobKinds
from tcpdashboard.common.jobs.lease import claim, due, held, renew, settle_orphans
from tcpdashboard.common.jobs.orders import (
    JobRefused,
    cancel_job,
    create_job,
    pause_job,
    resume_job,
)
from tcpdashboard.common.jobs.retention import prune_jobs
from tcpdashboard.common.jobs.run import JobRun, JobStopped, Stop
from tcpdashboard.common.jobs.runner import run_job
from tcpdashboard.common.models import Alert, Job
from tcpdashboard.common.models.jobs import FINISHED, TRANSITIONS
from tests.common import job_kinds
from tests.common.job_kinds import make
from tests.patience import until

pytestmark = pytest.mark.django_db(transaction=True)

NEVER = threading.Event()


@pytest.fixture
def queues():
    """The broker, empty before and after."""
    with redis.Redis.from_url(django_settings.REDIS_URL) as client:
        client.flushdb()
        yield client
        client.flushdb()


@pytest.fixture(autouse=True)
def _kinds(settings):
    """Kinds that only these tests have; leases that no standstill outlasts."""
    settings.JOB_LEASE_SECONDS, settings.JOB_RENEW_SECONDS = 600, 0.05
    job_kinds.started.clear()
    job_kinds.go_on.clear()
    with ExitStack() as kinds:
        kinds.enter_context(job_kinds.kind("count", "count", unit="numbers"))
        kinds.enter_context(job_kinds.kind("wait", "wait", at_once=2))
        kinds.enter_context(
            job_kinds.kind("busy", "find_busy", retry_on=(job_kinds.Busy,), attempts=3)
        )
        kinds.enter_context(job_kinds.kind("break", "break_down"))
        yield


def test_a_job_is_done_and_keeps_its_result():
    job = make(parameters={"to": 3})
    assert run_job(job.pk, NEVER) == "done"
    job.refresh_from_db()
    assert (job.result, job.done, job.checkpoint) == ({"counted": 3}, 3, {"at": 3})
    assert (job.lease_owner, job.lease_expires_at) == ("", None)
    assert job.started_at <= job.finished_at
    assert run_job(job.pk, NEVER) is None


def test_a_job_goes_on_from_its_checkpoint():
    job = make(parameters={"to": 5}, checkpoint={"at": 4}, done=4)
    assert run_job(job.pk, NEVER) == "done"
    job.refresh_from_db()
    assert (job.fencing_token, job.done) == (1, 5)


def test_two_workers_never_do_one_job():
    job = make("wait")
    with working(job) as first:
        assert claim(job.pk) is None
        assert run_job(job.pk, NEVER) is None
        job_kinds.go_on.set()
    assert first.outcome == "done"
    job.refresh_from_db()
    assert job.fencing_token == 1


def test_of_many_that_claim_at_once_one_gets_it():
    job = make(parameters={"to": 1})
    barrier = threading.Barrier(8)
    taken = []

    def take() -> None:
        barrier.wait(5)
        taken.append(claim(job.pk))
        connections.close_all()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(taken) == 8
    assert sum(one is not None for one in taken) == 1


def test_a_lease_is_renewed_for_as_long_as_the_work_takes():
    job = make("wait")
    with working(job):
        for _ in range(3):
            before = ends_at(job)
            until(lambda before=before: ends_at(job) > before, "a renewed lease")
            assert claim(job.pk) is None
        job_kinds.go_on.set()


def test_a_worker_whose_lease_was_taken_over_can_save_nothing():
    job = make(parameters={"to": 3})
    lease, row = claim(job.pk)
    expire(job)
    second, _ = claim(job.pk)
    assert second.token == lease.token + 1
    with JobRun(lease, row, NEVER) as late:
        with pytest.raises(JobStopped) as stopped:
            late.save({"at": 99}, done=99)
        assert stopped.value.reason is Stop.LOST
        with pytest.raises(JobStopped), transaction.atomic(), connection.cursor() as cursor:
            late.fence(cursor)
    job.refresh_from_db()
    assert (job.checkpoint, job.done) == ({}, 0)
    assert held(lease).move(Job.State.DONE) == 0


def test_a_worker_that_lost_its_lease_leaves_the_job_alone():
    job = make("wait")
    with working(job) as worker:
        expire(job)
        until(lambda: claim(job.pk) is not None)
    assert worker.outcome is None
    job.refresh_from_db()
    assert (job.state, job.fencing_token) == ("running", 2)


def test_a_take_over_waits_for_the_transaction_that_stores(settings):
    settings.JOB_RENEW_SECONDS = 60
    job = make(parameters={"to": 3})
    with (
        JobRun(*claim(job.pk), NEVER) as run,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        run.fence(cursor)
        expired = threading.Event()

        def take_over() -> None:
            # Waits for the row until the writer has committed.
            Job.objects.filter(pk=job.pk).update(lease_expires_at=Now() - timedelta(seconds=1))
            expired.set()
            connections.close_all()

        thread = threading.Thread(target=take_over)
        thread.start()
        assert not expired.wait(0.3)
        run.note({"at": 1}, done=1)
    thread.join(5)
    job.refresh_from_db()
    assert job.checkpoint == {"at": 1}


def test_pausing_stops_the_worker_at_its_next_step_and_resuming_goes_on():
    job = make("wait")
    with working(job) as worker:
        pause_job(job)
        assert (job.state, job.desired) == ("running", "pause")
    assert worker.outcome == "paused"
    assert due() == []
    assert claim(job.pk) is None
    resume_job(job)
    assert job.state == "queued"
    job_kinds.go_on.set()
    assert run_job(job.pk, NEVER) == "done"


def test_a_pause_taken_back_before_the_worker_hears_of_it_stops_nothing(settings):
    settings.JOB_RENEW_SECONDS = 60
    job = make("wait")
    with working(job) as worker:
        pause_job(job)
        resume_job(job)
        job_kinds.go_on.set()
    assert worker.outcome == "done"


def test_cancelling_a_running_job_ends_it_for_good():
    job = make("wait")
    with working(job) as worker:
        cancel_job(job)
        assert job.state == "cancelling"
    assert worker.outcome == "cancelled"
    job.refresh_from_db()
    assert job.finished_at is not None
    with pytest.raises(JobRefused, match="is cancelled: it cannot be resumed"):
        resume_job(job)


def test_a_waiting_or_paused_job_is_cancelled_at_once():
    waiting, paused = make(parameters={"to": 1}), make(parameters={"to": 1})
    pause_job(paused)
    for job in (waiting, paused):
        cancel_job(job)
        assert job.state == "cancelled"
        assert run_job(job.pk, NEVER) is None


def test_asking_twice_for_the_same_is_no_error():
    job = make(parameters={"to": 1})
    pause_job(job)
    pause_job(job)
    resume_job(job)
    resume_job(job)
    cancel_job(job)
    cancel_job(job)
    with pytest.raises(JobRefused, match="it cannot be paused"):
        pause_job(job)


def test_a_worker_that_ends_gives_the_job_back_for_the_next():
    job = make("wait")
    shutdown = threading.Event()
    with working(job, shutdown) as worker:
        shutdown.set()
    assert worker.outcome == "queued"
    job.refresh_from_db()
    assert (job.lease_owner, job.attempts) == ("", 0)
    assert due() == [job]
    assert run_job(job.pk, shutdown) is None


def test_a_job_whose_worker_died_is_due_once_its_lease_has_run_out():
    job = make(parameters={"to": 3})
    assert due() == [job]
    claim(job.pk)
    expire(job, requested=True)
    assert due() == [job]
    assert due() == [], "asked for once per lease length"
    assert run_job(job.pk, NEVER) == "done"


def test_an_orphan_that_was_to_stop_is_stopped_by_the_sweep():
    cancelled, paused = make("wait"), make("wait")
    for job, order in ((cancelled, cancel_job), (paused, pause_job)):
        assert claim(job.pk)
        order(job)
        expire(job)
    assert settle_orphans() == 2
    cancelled.refresh_from_db()
    paused.refresh_from_db()
    assert (cancelled.state, paused.state) == ("cancelled", "paused")


def test_a_job_that_kills_its_workers_fails_in_the_end():
    job = make("busy")
    for _ in range(3):
        assert settle_orphans() == 0
        assert claim(job.pk)
        expire(job)
    assert settle_orphans() == 1
    job.refresh_from_db()
    assert (job.state, job.error) == (
        "failed",
        "its worker died 3 times without getting further",
    )


def test_getting_further_starts_the_count_of_attempts_again():
    job = make(parameters={"to": 3})
    for _ in range(5):
        lease, _ = claim(job.pk)
        renew(lease, checkpoint={"at": 1}, attempts=1)
        expire(job)
    job.refresh_from_db()
    assert (job.attempts, job.fencing_token) == (1, 5)


def test_what_is_busy_is_tried_again_later_and_at_last_given_up():
    job = make("busy")
    for attempt in (1, 2):
        assert run_job(job.pk, NEVER) == "queued"
        job.refresh_from_db()
        assert (job.attempts, job.error) == (attempt, "Busy: try again")
        assert job.retry_at > timezone.now()
        assert due() == []
        assert claim(job.pk) is None
        Job.objects.update(retry_at=None)
    assert run_job(job.pk, NEVER) == "failed"


def test_a_defect_fails_the_job_and_raises_an_alert_until_it_is_resumed():
    job = make("break")
    assert run_job(job.pk, NEVER) == "failed"
    job.refresh_from_db()
    assert job.error == "ZeroDivisionError: a defect"
    assert (job.checkpoint, job.done) == ({"half": True}, 1)
    assert Alert.objects.open().filter(kind="job_failed").count() == 1
    resume_job(job)
    assert (job.state, job.error, job.attempts) == ("queued", "", 0)
    assert not Alert.objects.open().exists()


def test_cancelling_a_failed_job_ends_its_alert():
    job = make("break")
    run_job(job.pk, NEVER)
    cancel_job(job)
    assert (job.state, job.error) == ("cancelled", "ZeroDivisionError: a defect")
    assert not Alert.objects.open().exists()


def test_no_more_of_a_kind_run_than_may_run_at_once(settings):
    # None runs out by itself, however busy the machine is.
    settings.JOB_LEASE_SECONDS = 600
    jobs = [make("wait") for _ in range(4)]
    assert [claim(job.pk) is not None for job in jobs] == [True, True, False, False]
    assert due() == []
    cancel_job(jobs[0])
    expire(jobs[0])
    settle_orphans()
    assert due() == [jobs[2]]


def test_no_more_are_asked_for_than_may_run_although_the_table_seems_empty():
    jobs = [make("wait") for _ in range(4)]
    with connection.cursor() as cursor:
        # What an analysis before any job was committed leaves behind.
        cursor.execute(
            "update pg_class set reltuples = 0, relpages = 1 where relname = 'common_job'"
        )
    assert due() == jobs[:2]
    assert due() == jobs[2:], "asked for once each"


def test_creating_asks_for_the_job_in_the_queue_of_its_kind_after_the_commit(queues):
    with job_kinds.kind("sums", "count", queue="backtests", unit="runs"):
        with transaction.atomic():
            job = create_job("sums", "t" * 300, {"to": 1}, total=1)
            assert queues.llen("backtests") == 0
        assert queues.llen("backtests") == 1
    assert (job.unit, job.total, len(job.title), job.state) == ("runs", 1, 200, "queued")


def test_the_sweep_puts_each_job_into_the_queue_of_its_kind(queues):
    from tcpdashboard.common.tasks import sweep_jobs

    with job_kinds.kind("sums", "count", queue="backtests"):
        make("sums", parameters={"to": 1})
        make(parameters={"to": 1})
        sweep_jobs()
        sweep_jobs()
    assert (queues.llen("backtests"), queues.llen("default")) == (1, 1)


def test_unknown_kinds_and_kinds_named_twice_are_errors():
    with pytest.raises(LookupError, match=r"'dance'; known: .*count"):
        create_job("dance", "a dance", {})
    kinds = JobKinds()
    kinds.register(JobKind("count", "somewhere.count"))
    with pytest.raises(ValueError, match="registered already"):
        kinds.register(JobKind("count", "elsewhere.count"))


def test_every_registered_handler_can_be_imported():
    names = [kind.name for kind in KINDS]
    assert "count" in names
    assert all(callable(kind.load()) for kind in KINDS)


@pytest.mark.parametrize("state", Job.State.values)
def test_states_move_only_as_the_table_says(state):
    held_until = timezone.now() if state in ("running", "cancelling") else None
    finished_at = timezone.now() if state in FINISHED else None
    for target in Job.State.values:
        job = make(state=state, finished_at=finished_at, lease_expires_at=held_until)
        moved = Job.objects.filter(pk=job.pk).move(target)
        job.refresh_from_db()
        assert moved == int(target in TRANSITIONS[state])
        assert job.state == (target if moved else state)
        assert (job.finished_at is not None) == (job.state in FINISHED)


@pytest.mark.parametrize(
    "values",
    [
        {"state": "done"},
        {"state": "unheard of"},
        {"desired": "dance"},
        {"done": -1},
        {"lease_expires_at": timezone.now()},
    ],
)
def test_the_database_refuses_rows_that_make_no_sense(values):
    with pytest.raises(IntegrityError):
        make(**values)


def test_ended_jobs_are_forgotten_after_a_while(settings):
    settings.JOB_DAYS = 90
    long_ago = timezone.now() - timedelta(days=91)
    make(state="done", finished_at=long_ago)
    kept = make(state="failed", finished_at=timezone.now()), make(state="paused")
    assert prune_jobs() == 1
    assert set(Job.objects.all()) == set(kept)


class working:
    """A worker in a thread that does a job of kind `wait`; left when it has ended."""

    def __init__(self, job, shutdown=NEVER):
        self.outcome = "still at work"
        self._thread = threading.Thread(target=self._work, args=(job.pk, shutdown))

    def _work(self, job_id, shutdown):
        self.outcome = run_job(job_id, shutdown)
        connections.close_all()

    def __enter__(self):
        self._thread.start()
        assert job_kinds.started.wait(10)
        return self

    def __exit__(self, *_error):
        self._thread.join(20)
        assert not self._thread.is_alive()


def expire(job, requested=False):
    """Let the lease run out, and the last request be long ago."""
    past = Now() - timedelta(hours=1)
    Job.objects.filter(pk=job.pk).update(
        lease_expires_at=past, **({"requested_at": past} if requested else {})
    )


def ends_at(job):
    """Return when the job's lease runs out."""
    return Job.objects.get(pk=job.pk).lease_expires_at
