"""Background tasks that belong to no app."""

from __future__ import annotations

from celery import shared_task

from tcpdashboard.common.broker import note_beat


@shared_task(name="common.beat_heartbeat")
def beat_heartbeat() -> None:
    """Show that beat sends and workers run."""
    note_beat()
