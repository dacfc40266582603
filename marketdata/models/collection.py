"""Who collects, and what was missed."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Now

from marketdata.models.instruments import Instrument


class DataGap(models.Model):
    """A stretch of trades that is missing, and what became of it."""

    class State(models.TextChoices):
        OPEN = "open"
        REPAIRED = "repaired"
        UNREPAIRABLE = "unrepairable"

    class Cause(models.TextChoices):
        RESTART = "restart"
        OUTAGE = "outage"
        LOSS = "loss"

    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="gaps")
    first_trade_id = models.BigIntegerField()
    last_trade_id = models.BigIntegerField()
    start = models.DateTimeField(help_text="Time of the last trade before the gap.")
    end = models.DateTimeField(help_text="Time of the first trade after the gap.")
    cause = models.CharField(max_length=16, choices=Cause)
    state = models.CharField(max_length=16, choices=State, default=State.OPEN)
    reason = models.TextField(blank=True)
    opened_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("instrument", "first_trade_id", "last_trade_id"), name="gap_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(last_trade_id__gte=models.F("first_trade_id")),
                name="gap_not_empty",
            ),
        )


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
