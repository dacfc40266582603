"""What a person should know, once, until it is over."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

ALERT_STATES: Final = ("open", "unseen", "acknowledged", "ended")
"""What alerts may be narrowed to; the middle two are parts of the first."""


class AlertQuerySet(models.QuerySet["Alert"]):
    def open(self) -> AlertQuerySet:
        """Return the alerts whose cause has not gone."""
        return self.filter(resolved_at=None)

    def unseen(self) -> AlertQuerySet:
        """Return the open alerts that no person has acknowledged."""
        return self.open().filter(acknowledged_at=None)

    def visible_to(self, user: Any) -> AlertQuerySet:
        """Return everybody's alerts and a person's own; staff see all."""
        return self.all() if user.is_staff else self.filter(Q(owner=None) | Q(owner=user.pk))

    def in_state(self, state: str) -> AlertQuerySet:
        """Return the alerts in a state of ALERT_STATES."""
        if state == "ended":
            return self.exclude(resolved_at=None)
        if state == "acknowledged":
            return self.open().exclude(acknowledged_at=None)
        return self.unseen() if state == "unseen" else self.open()


class Alert(models.Model):
    """One trouble of one subject; the same trouble again counts up, and does not add a row."""

    class Severity(models.TextChoices):
        INFO = "info"
        WARNING = "warning"
        CRITICAL = "critical"

    kind = models.CharField(max_length=32, help_text="What is wrong, for example feed_stale.")
    subject = models.CharField(
        max_length=128, help_text="Whom it concerns, for example okx:BTC-USDT."
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text="Who sees it beside staff; empty: everybody.",
    )
    severity = models.CharField(max_length=8, choices=Severity, default=Severity.WARNING)
    message = models.TextField(help_text="One sentence for a person, with what to do.")
    details: models.JSONField[Any, Any] = models.JSONField(default=dict, blank=True)
    count = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField(db_default=Now())
    last_at = models.DateTimeField(db_default=Now())
    resolved_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ("-last_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("kind", "subject"),
                condition=models.Q(resolved_at=None),
                name="alert_open_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
