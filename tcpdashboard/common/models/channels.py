"""Where alerts are told outside the pages, and what became of each time that was tried."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tcpdashboard.common.fields import EncryptedTextField
from tcpdashboard.common.models.alerts import Alert

SEVERITIES: Final = (Alert.Severity.INFO, Alert.Severity.WARNING, Alert.Severity.CRITICAL)
"""From the least to the most severe."""


class ChannelQuerySet(models.QuerySet["AlertChannel"]):
    def visible_to(self, user: Any) -> ChannelQuerySet:
        """Return a person's own channels; staff see everybody's as well."""
        own = Q(owner=user.pk)
        return self.filter(own | Q(owner=None)) if user.is_staff else self.filter(own)


class AlertChannel(models.Model):
    """One place that alerts go to, of one person or of the whole installation.

    What gives access (a webhook's address, a bot's token, a key to sign with) is sealed.
    """

    class Kind(models.TextChoices):
        WEBHOOK = "webhook"
        EMAIL = "email", "e-mail"
        TELEGRAM = "telegram", "Telegram"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="alert_channels",
        help_text="Whose alerts it tells, beside everybody's; empty: all alerts.",
    )
    name = models.CharField(max_length=64)
    kind = models.CharField(max_length=8, choices=Kind)
    address = models.CharField(
        max_length=254,
        help_text="E-mail: where to. Telegram: the chat's id. Webhook: its host.",
    )
    server = models.CharField(
        max_length=200, blank=True, help_text="Telegram: another server than api.telegram.org."
    )
    secret: EncryptedTextField = EncryptedTextField(
        null=True, blank=True, help_text="Webhook: its whole address. Telegram: the bot's token."
    )
    signing_key: EncryptedTextField = EncryptedTextField(
        null=True, blank=True, help_text="Webhook: signs what is sent; empty: it is not signed."
    )
    min_severity = models.CharField(
        max_length=8, choices=Alert.Severity, default=Alert.Severity.WARNING
    )
    tells_end = models.BooleanField(default=True, help_text="Also when an alert is over.")
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_to = models.TimeField(null=True, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC", help_text="Of the quiet hours.")
    is_quiet_for_critical = models.BooleanField(
        default=False, help_text="Whether critical alerts wait for the end of quiet hours too."
    )
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = ChannelQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(
                fields=("owner", "name"), nulls_distinct=False, name="channel_name_unique"
            ),
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_to=None)
                | Q(quiet_from__isnull=False, quiet_to__isnull=False),
                name="channel_quiet_whole",
            ),
            models.CheckConstraint(
                condition=Q(kind="email") | Q(secret__isnull=False), name="channel_has_secret"
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def severities(self) -> tuple[Alert.Severity, ...]:
        """The severities that it tells."""
        return SEVERITIES[SEVERITIES.index(Alert.Severity(self.min_severity)) :]


class AlertDelivery(models.Model):
    """One message to one channel: the opening of an alert, its end, or a test."""

    class Event(models.TextChoices):
        OPENED = "opened"
        ENDED = "ended"
        TEST = "test"

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        FAILED = "failed"
        SKIPPED = "skipped"

    channel = models.ForeignKey(AlertChannel, on_delete=models.CASCADE, related_name="deliveries")
    alert = models.ForeignKey(
        Alert, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    event = models.CharField(max_length=6, choices=Event)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    response = models.CharField(max_length=300, blank=True, help_text="What was answered last.")
    created_at = models.DateTimeField(db_default=Now())
    next_at = models.DateTimeField(db_default=Now(), help_text="Not tried before.")
    claimed_until = models.DateTimeField(
        null=True, blank=True, help_text="A worker is at it; later its claim is void."
    )
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-pk",)
        verbose_name_plural = "alert deliveries"
        indexes = (
            models.Index(fields=("next_at",), condition=Q(state="waiting"), name="delivery_due"),
        )
        constraints = (
            models.UniqueConstraint(fields=("channel", "alert", "event"), name="delivery_once"),
            models.CheckConstraint(
                condition=Q(state="waiting", finished_at=None)
                | (~Q(state="waiting") & Q(finished_at__isnull=False)),
                name="delivery_end_whole",
            ),
        )
