"""Background tasks that belong to no app. A message is a hint: the sweeps repeat what matters."""

from __future__ import annotations

from celery import shared_task

from tcpdashboard.common.alerts.delivering import deliver_alerts as deliver
from tcpdashboard.common.alerts.delivering import prune_deliveries
from tcpdashboard.common.broker import note_beat
from tcpdashboard.common.hints import EXPIRES_S
from tcpdashboard.common.jobs.kinds import KINDS
from tcpdashboard.common.jobs.lease import due, settle_orphans
from tcpdashboard.common.jobs.retention import prune_jobs as prune
from tcpdashboard.common.jobs.runner import run_job as run


@shared_task(name="common.beat_heartbeat")
def beat_heartbeat() -> None:
    """Show that beat sends and workers run."""
    note_beat()


@shared_task(name="common.run_job")
def run_job(job_id: int) -> None:
    """Do a job until it ends, or until there is a reason to let go of it."""
    run(job_id)


@shared_task(name="common.sweep_jobs")
def sweep_jobs() -> None:
    """Ask for every job that should run and has no worker."""
    settle_orphans()
    for job in due():
        run_job.apply_async((job.pk,), queue=KINDS.get(job.kind).queue, expires=EXPIRES_S)


@shared_task(name="common.prune_jobs")
def prune_jobs() -> None:
    """Delete jobs that ended long ago, and what was told of alerts that did."""
    prune()
    prune_deliveries()


@shared_task(name="common.deliver_alerts")
def deliver_alerts() -> None:
    """Tell alerts through the channels that people made for them."""
    deliver()
