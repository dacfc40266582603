"""What all bots of a person together may lose or risk."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class OwnerLimits(models.Model):
    """Limits over all bots of one owner; empty for no limit."""

    class Action(models.TextChoices):
        BLOCK = "block", "block entries"
        FLATTEN = "flatten", "flatten"
        HALT = "halt", "flatten and halt"

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="bot_limits",
    )
    max_daily_loss = models.FloatField(
        null=True, blank=True, help_text="Share of the day's first equity, over all bots."
    )
    max_drawdown = models.FloatField(
        null=True, blank=True, help_text="Share of the highest equity, over all bots."
    )
    max_exposure = models.FloatField(
        null=True, blank=True, help_text="Share of the equity that positions may be worth."
    )
    max_open_bots = models.PositiveIntegerField(
        null=True, blank=True, help_text="Bots that may be alive at once."
    )
    action = models.CharField(max_length=8, choices=Action, default=Action.BLOCK)
    changed_at = models.DateTimeField(auto_now=True)
    peaks: models.JSONField[Any, Any] = models.JSONField(
        default=dict, blank=True, help_text="The highest profit so far by quote currency."
    )

    class Meta:
        verbose_name_plural = "owner limits"
        constraints = (
            models.CheckConstraint(
                condition=(Q(max_daily_loss=None) | Q(max_daily_loss__gt=0, max_daily_loss__lte=1))
                & (Q(max_drawdown=None) | Q(max_drawdown__gt=0, max_drawdown__lte=1))
                & (Q(max_exposure=None) | Q(max_exposure__gt=0)),
                name="ownerlimits_are_shares",
            ),
        )


class OwnerVerdict(models.Model):
    """One time that an owner's limit was reached: the numbers, what was done, and until when."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="bot_verdicts"
    )
    limit = models.CharField(max_length=16)
    action = models.CharField(max_length=8, choices=OwnerLimits.Action)
    at = models.DateTimeField(db_default=Now())
    time = models.DateTimeField(help_text="Exchange time.")
    numbers: models.JSONField[Any, Any] = models.JSONField(default=dict)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Empty while it stands, and when a new day lifted it.",
    )

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(
                fields=("owner", "limit"), condition=Q(lifted_at=None), name="ownerverdict_once"
            ),
        )
