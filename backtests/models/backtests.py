"""Backtests: what was asked for, what it was computed from, and what came out."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from backtests.models.figures import Figures
from marketdata.domain.timeframe import Timeframe
from marketdata.models import Instrument
from strategies.models import StrategyConfig
from tcpdashboard.common.models import Job


class BacktestQuerySet(models.QuerySet["Backtest"]):
    def visible_to(self, user: Any) -> BacktestQuerySet:
        """Return a person's own backtests; staff see all."""
        return self.all() if user.is_staff else self.filter(owner=user)


class Backtest(models.Model):
    """One run of one strategy. What was asked for never changes; the result is written once."""

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Proof(models.TextChoices):
        PASSED = "passed"
        FAILED = "failed"
        UNPROVEN = "unproven"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="backtests",
        help_text="Who asked for it; empty: the system.",
    )
    job = models.OneToOneField(
        Job,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="backtest",
        help_text="Who does it; jobs are forgotten long before results.",
    )
    strategy = models.CharField(max_length=128)
    parameters: models.JSONField[Any, Any] = models.JSONField(default=dict, blank=True)
    config = models.ForeignKey(
        StrategyConfig,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="backtests",
        help_text="The version of a stored configuration that it was taken from.",
    )
    source_hash = models.CharField(max_length=64, help_text="Of the strategy's code.")
    source = models.TextField(blank=True, help_text="The code of an own strategy.")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="backtests")
    timeframe = models.CharField(
        max_length=4, choices=[(one.value, one.value) for one in Timeframe]
    )
    start = models.DateTimeField()
    end = models.DateTimeField(help_text="Not included.")
    trading: models.JSONField[Any, Any] = models.JSONField(
        default=dict, help_text="Costs, sizing, stops and limits."
    )
    engine_version = models.PositiveIntegerField(help_text="Of the execution kernel.")
    fingerprint = models.CharField(max_length=64, blank=True, help_text="Of the candles it used.")
    integrity: models.JSONField[Any, Any] = models.JSONField(default=dict, blank=True)
    badges: models.JSONField[Any, Any] = models.JSONField(
        default=list, blank=True, help_text="What to know before trusting the figures."
    )
    proof = models.CharField(
        max_length=8,
        choices=Proof.choices,
        default=Proof.UNPROVEN,
        help_text="Whether the strategy passed its proofs with these parameters and this code.",
    )
    proofs: models.JSONField[Any, Any] = models.JSONField(
        default=list, blank=True, help_text="What each proof found."
    )
    result_hash = models.CharField(max_length=64, blank=True)
    metrics: models.JSONField[Any, Any] = models.JSONField(
        default=dict, blank=True, decoder=Figures
    )
    compared: models.JSONField[Any, Any] = models.JSONField(
        default=dict,
        blank=True,
        decoder=Figures,
        help_text="Figures as other programs compute them, by program and key.",
    )
    units: models.JSONField[Any, Any] = models.JSONField(
        default=dict, blank=True, help_text="What a tick, a lot and a cash unit are in the file."
    )
    curve: models.JSONField[Any, Any] = models.JSONField(
        default=dict, blank=True, help_text="Equity, thinned to what a chart shows."
    )
    artefact = models.CharField(max_length=128, blank=True, help_text="Events and equity.")
    tags: models.JSONField[Any, Any] = models.JSONField(default=list, blank=True)
    notes = models.TextField(blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = BacktestQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        indexes = (models.Index(fields=("owner", "-id"), name="backtest_of_owner"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(start__lt=models.F("end")), name="backtest_range_ordered"
            ),
            models.CheckConstraint(
                condition=Q(result_hash="", artefact="")
                | (~Q(result_hash="") & ~Q(artefact="") & ~Q(fingerprint="") & Q(error="")),
                name="backtest_result_whole",
            ),
        )

    def __str__(self) -> str:
        return f"backtest {self.pk}"

    @property
    def state(self) -> str:
        """How far it is, by what is stored and by its job while there is one."""
        if self.result_hash:
            return self.State.DONE
        if self.job is None:
            return self.State.FAILED if self.error else self.State.CANCELLED
        return _STATES[Job.State(self.job.state)]


_STATES = {
    Job.State.QUEUED: Backtest.State.WAITING,
    Job.State.PAUSED: Backtest.State.WAITING,
    Job.State.RUNNING: Backtest.State.RUNNING,
    Job.State.CANCELLING: Backtest.State.RUNNING,
    Job.State.CANCELLED: Backtest.State.CANCELLED,
    Job.State.FAILED: Backtest.State.FAILED,
    # Its result is stored with its end, so this is seen for an instant only.
    Job.State.DONE: Backtest.State.RUNNING,
}
