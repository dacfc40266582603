"""What replaying a run found."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Now

from bots.models.bots import BotRun


class ParityReport(models.Model):
    """A run replayed as a backtest, over candles as it saw them and as they are by now."""

    class Verdict(models.TextChoices):
        MATCHED = "matched"
        DIVERGED = "diverged"
        FAILED = "failed"

    class Cause(models.TextChoices):
        REVISED = "candle revised"
        INSERTED = "candle inserted"
        LATE = "late candle"
        CONFIGURATION = "configuration"
        ENGINE = "engine version"
        FAULT = "fault"

    class Reason(models.TextChoices):
        ENDED = "ended", "the run ended"
        NIGHTLY = "nightly"
        ASKED = "asked", "somebody asked"

    run = models.ForeignKey(BotRun, on_delete=models.CASCADE, related_name="parity")
    made_at = models.DateTimeField(db_default=Now())
    reason = models.CharField(max_length=8, choices=Reason)
    until = models.DateTimeField(help_text="Open time of the first minute that was not replayed.")
    minutes = models.PositiveIntegerField()
    fills = models.PositiveIntegerField(help_text="Of the run.")
    known = models.CharField(
        max_length=8, choices=Verdict, help_text="Over what the run saw: is the code right?"
    )
    known_divergence: models.JSONField[Any, Any] = models.JSONField(
        null=True, blank=True, help_text="The first: time, what, both sides' numbers, cause."
    )
    repaired = models.CharField(
        max_length=8, choices=Verdict, help_text="Over candles by now: what did the data cost?"
    )
    repaired_divergence: models.JSONField[Any, Any] = models.JSONField(null=True, blank=True)
    details: models.JSONField[Any, Any] = models.JSONField(
        default=dict,
        blank=True,
        help_text="Profit on both sides, slippage observed against the model's.",
    )

    class Meta:
        ordering = ("-pk",)
        get_latest_by = "made_at"
