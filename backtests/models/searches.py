"""Searches for parameters: what is tried, by whom, and what each trial came to."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from backtests.domain.search.objectives import is_maximised
from backtests.models.figures import Figures
from marketdata.domain.timeframe import Timeframe
from marketdata.models import Instrument
from tcpdashboard.common.models import Job


class SearchQuerySet(models.QuerySet["Search"]):
    def visible_to(self, user: Any) -> SearchQuerySet:
        """Return a person's own searches; staff see all."""
        return self.all() if user.is_staff else self.filter(owner=user)

    def in_state(self, wanted: str) -> SearchQuerySet:
        """Return those whose `state` is this one."""
        if wanted == Search.State.DONE:
            return self.exclude(finished_at=None)
        rest = self.filter(finished_at=None)
        for found, state in _STATES:
            has_one = Exists(Job.objects.filter(searches=OuterRef("pk"), state__in=found))
            if state == wanted:
                is_told = Q(has_one) | ~Q(error="") if wanted == Search.State.FAILED else Q(has_one)
                return rest.filter(is_told)
            rest = rest.filter(~has_one)
        return rest.filter(error="")


class Search(models.Model):
    """One search. What was asked for never changes; several jobs work on its batches at once."""

    class Method(models.TextChoices):
        GRID = "grid"
        RANDOM = "random"
        OPTUNA = "optuna"

    class Validation(models.TextChoices):
        NONE = "none"
        HOLDOUT = "holdout"
        WALK_FORWARD = "walk_forward"

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        PAUSED = "paused"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="searches",
        help_text="Who asked for it; empty: the system.",
    )
    jobs = models.ManyToManyField(
        Job, blank=True, related_name="searches", help_text="One for each worker that helps."
    )
    strategy = models.CharField(max_length=128)
    parameters: models.JSONField[Any, Any] = models.JSONField(
        default=dict, blank=True, help_text="Those that stay as they are."
    )
    space: models.JSONField[Any, Any] = models.JSONField(
        help_text="Those searched: a list of axes, the last moves fastest."
    )
    method = models.CharField(max_length=8, choices=Method)
    count = models.PositiveIntegerField(help_text="Trials in each window.")
    seed = models.BigIntegerField(default=0)
    objective = models.CharField(max_length=32, help_text="The metric that is to be best.")
    is_maximised = models.BooleanField(default=True)
    source_hash = models.CharField(max_length=64, help_text="Of the strategy's code.")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="searches")
    timeframe = models.CharField(
        max_length=4, choices=[(one.value, one.value) for one in Timeframe]
    )
    start = models.DateTimeField()
    end = models.DateTimeField(help_text="Not included.")
    trading: models.JSONField[Any, Any] = models.JSONField(
        default=dict, help_text="Costs, sizing, stops and limits."
    )
    validation = models.CharField(max_length=12, choices=Validation)
    windows: models.JSONField[Any, Any] = models.JSONField(
        help_text="Where trials run and the best are tested, in ms."
    )
    engine_version = models.PositiveIntegerField(help_text="Of the execution kernel.")
    fingerprint = models.CharField(max_length=64, blank=True, help_text="Of the candles it uses.")
    integrity: models.JSONField[Any, Any] = models.JSONField(default=dict, blank=True)
    badges: models.JSONField[Any, Any] = models.JSONField(
        default=list, blank=True, help_text="What to know before trusting the figures."
    )
    done = models.PositiveIntegerField(default=0, help_text="Trials that are stored.")
    total = models.PositiveIntegerField(help_text="Trials of all windows.")
    summary: models.JSONField[Any, Any] = models.JSONField(
        default=dict, blank=True, decoder=Figures, help_text="What came out, written at the end."
    )
    tags: models.JSONField[Any, Any] = models.JSONField(default=list, blank=True)
    notes = models.TextField(blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = SearchQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "searches"
        ordering = ("-pk",)
        indexes = (models.Index(fields=("owner", "-id"), name="search_of_owner"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(start__lt=models.F("end")), name="search_range_ordered"
            ),
            models.CheckConstraint(
                condition=Q(done__lte=models.F("total")), name="search_done_within_total"
            ),
            models.CheckConstraint(
                condition=Q(finished_at=None) | (~Q(fingerprint="") & Q(error="")),
                name="search_result_whole",
            ),
        )

    def __str__(self) -> str:
        return f"search {self.pk}"

    @property
    def topic(self) -> str:
        """The realtime topic; the owner is in it, so that no look-up authorises."""
        return f"search:{self.owner_id or 0}:{self.pk}"

    def maximises(self, metric: str) -> bool:
        """Return whether more of a metric is better, as the search says of its objective."""
        return self.is_maximised if metric == self.objective else is_maximised(metric)

    @property
    def state(self) -> str:
        """How far it is, by what is stored and by the jobs that work on it."""
        if self.finished_at is not None:
            return self.State.DONE
        states = {job.state for job in self.jobs.all()}
        for found, state in _STATES:
            if states & found:
                return state
        return self.State.FAILED if self.error else self.State.CANCELLED


# The first that one of the jobs is in. A job may be done an instant before the search is.
_STATES = (
    ({Job.State.RUNNING, Job.State.CANCELLING, Job.State.DONE}, Search.State.RUNNING),
    ({Job.State.QUEUED}, Search.State.WAITING),
    ({Job.State.PAUSED}, Search.State.PAUSED),
    ({Job.State.FAILED}, Search.State.FAILED),
)


class SearchBatch(models.Model):
    """What one worker does in one go. Whoever finishes the last of a step makes the next ones."""

    class Kind(models.TextChoices):
        TRIALS = "trials"
        SUGGEST = "suggest", "suggest: say what to try, by what came of earlier trials"
        SUM = "sum", "sum: test the best and sum the search up"

    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="batches")
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.TRIALS)
    window = models.PositiveIntegerField(default=0)
    first = models.PositiveIntegerField(default=0, help_text="Number of the first trial.")
    count = models.PositiveIntegerField(default=0, help_text="Trials.")
    parameters: models.JSONField[Any, Any] = models.JSONField(
        null=True, blank=True, help_text="Those to try; empty where the numbers say which."
    )
    job = models.ForeignKey(
        Job, null=True, blank=True, on_delete=models.SET_NULL, help_text="Which took it last."
    )
    token = models.BigIntegerField(default=0, help_text="Of that job when it took it.")
    is_done = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "search batches"
        constraints = (
            models.UniqueConstraint(
                fields=("search", "kind", "window", "first"), name="searchbatch_once"
            ),
        )
        indexes = (
            models.Index(
                fields=("search", "id"), condition=Q(is_done=False), name="searchbatch_open"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.first} to {self.first + self.count} of window {self.window}"


class Trial(models.Model):
    """One set of parameters and what it came to where it was tried."""

    class State(models.TextChoices):
        DONE = "done"
        REFUSED = "refused", "refused: parameters that do not go together"
        FAILED = "failed"

    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="trials")
    window = models.PositiveIntegerField(default=0)
    number = models.PositiveIntegerField(help_text="Within the window, from 0.")
    parameters: models.JSONField[Any, Any] = models.JSONField()
    state = models.CharField(max_length=8, choices=State)
    objective = models.FloatField(null=True, blank=True, help_text="Empty: unknown.")
    metrics: models.JSONField[Any, Any] = models.JSONField(
        default=dict, blank=True, decoder=Figures
    )
    outside: models.JSONField[Any, Any] = models.JSONField(
        null=True, blank=True, decoder=Figures, help_text="The metrics out of sample, of the best."
    )
    error = models.TextField(blank=True)

    class Meta:
        ordering = ("window", "number")
        constraints = (
            models.UniqueConstraint(fields=("search", "window", "number"), name="trial_once"),
            models.CheckConstraint(
                condition=Q(state="done", error="")
                | Q(~Q(error=""), state__in=("refused", "failed")),
                name="trial_told",
            ),
        )

    def __str__(self) -> str:
        return f"trial {self.number} of {self.search_id}"
