"""Ended jobs are kept for a while, then forgotten."""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.conf import settings
from django.db.models.functions import Now

from tcpdashboard.common.models import Job
from tcpdashboard.common.models.jobs import FINISHED

log = structlog.get_logger(__name__)


def prune_jobs() -> int:
    """Delete what ended more than JOB_DAYS days ago; return how many."""
    long_ago = Now() - timedelta(days=settings.JOB_DAYS)
    deleted, _ = Job.objects.filter(state__in=FINISHED, finished_at__lt=long_ago).delete()
    if deleted:
        log.info("jobs_pruned", count=deleted)
    return deleted
