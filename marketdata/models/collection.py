"""Who collects, how that is, and how often it had to begin again."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Now


class RestartReason(models.TextChoices):
    """Why a collector that had run before was started anew."""

    CRASH = "crash", "it failed"
    STALLED = "stalled", "nothing came in, although its sockets were open"
    FAILOVER = "failover", "its worker gave no sign of life"
    LEASE_LOST = "lease lost", "its worker stood still for too long"
    SHUTDOWN = "shutdown", "its worker was stopped"
    ASKED = "asked", "a person asked for it"


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

    class Health(models.TextChoices):
        """The worst state of any channel, while somebody collects."""

        CONNECTING = "connecting"
        LIVE = "live"
        SILENT = "silent"
        STALE = "stale"
        REPAIRING = "repairing"
        FAILED = "failed"

    name = models.CharField(max_length=64, unique=True)
    exchange = models.CharField(max_length=32)
    desired = models.CharField(max_length=8, choices=Desired, default=Desired.RUNNING)
    state = models.CharField(max_length=10, choices=State, default=State.STOPPED)
    health = models.CharField(
        max_length=10, choices=Health, blank=True, help_text="Empty while nobody collects."
    )
    lease_owner = models.CharField(max_length=128, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    fencing_token = models.BigIntegerField(
        default=0, help_text="Raised at every take-over; checked first in every write."
    )
    restart_requested_at = models.DateTimeField(null=True, blank=True)
    requested_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.CharField(max_length=12, choices=RestartReason, blank=True)
    forgiven_at = models.DateTimeField(
        null=True, blank=True, help_text="Restarts before this do not count: a person has looked."
    )
    exchange_time = models.DateTimeField(
        null=True, blank=True, help_text="The newest event time delivered."
    )
    counters: models.JSONField[Any, Any] = models.JSONField(default=dict, blank=True)
    channels: models.JSONField[Any, Any] = models.JSONField(
        default=dict, blank=True, help_text="By instrument: its newest event, its channels' states."
    )
    last_error = models.TextField(blank=True)
    last_error_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class CollectorRestart(models.Model):
    """One time that a collector had to be started again."""

    collector = models.ForeignKey(Collector, on_delete=models.CASCADE, related_name="restarts")
    fencing_token = models.BigIntegerField(help_text="That of the holder it was started for.")
    at = models.DateTimeField(db_default=Now())
    reason = models.CharField(max_length=12, choices=RestartReason)
    error = models.TextField(blank=True)
    holder = models.CharField(max_length=128, help_text="Who took it: host, process, a random end.")
    down_since = models.DateTimeField(null=True, help_text="The last sign of life before.")
    live_at = models.DateTimeField(null=True, help_text="When everything was subscribed again.")

    class Meta:
        ordering = ("-at",)
        constraints = (
            models.UniqueConstraint(fields=("collector", "fencing_token"), name="restart_once"),
            models.CheckConstraint(
                condition=models.Q(reason__in=RestartReason.values), name="restart_reason_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.collector_id} {self.reason} {self.at:%Y-%m-%d %H:%M:%S}"

    @property
    def down_s(self) -> float | None:
        """Seconds without collection; None while it lasts, or when its begin is not known."""
        if self.down_since is None or self.live_at is None:
            return None
        return round((self.live_at - self.down_since).total_seconds(), 1)
