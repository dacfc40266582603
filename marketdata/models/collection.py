"""Who collects."""

from __future__ import annotations

from typing import Any

from django.db import models


class Collector(models.Model):
    """A long-lived collection of one exchange: what it should do, who does it, how it is."""

    class Desired(models.TextChoices):
        RUNNING = "running"
        STOPPED = "stopped"

    class State(models.TextChoices):
        STOPPED = "stopped"
        STARTING = "starting"
        LIVE = "live"
        DEGRADED = "degraded"
        FAILED = "failed"

    name = models.CharField(max_length=64, unique=True)
    exchange = models.CharField(max_length=32)
    desired = models.CharField(max_length=8, choices=Desired, default=Desired.RUNNING)
    state = models.CharField(max_length=10, choices=State, default=State.STOPPED)
    lease_owner = models.CharField(max_length=128, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    fencing_token = models.BigIntegerField(
        default=0, help_text="Raised at every take-over; checked first in every write."
    )
    restart_requested_at = models.DateTimeField(null=True, blank=True)
    requested_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    exchange_time = models.DateTimeField(
        null=True, blank=True, help_text="The newest event time delivered."
    )
    counters: models.JSONField[Any, Any] = models.JSONField(default=dict, blank=True)
    last_error = models.TextField(blank=True)
    last_error_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
