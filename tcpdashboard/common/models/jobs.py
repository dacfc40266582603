"""Long work that somebody asked for: what it should do, who does it, how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class JobQuerySet(models.QuerySet["Job"]):
    def active(self) -> JobQuerySet:
        """Return the jobs that may still do something."""
        return self.exclude(state__in=FINISHED)

    def unheld(self) -> JobQuerySet:
        """Return the jobs whose lease nobody holds, by the database's clock."""
        return self.filter(Q(lease_expires_at=None) | Q(lease_expires_at__lt=Now()))

    def visible_to(self, user: Any) -> JobQuerySet:
        """Return a person's own jobs; staff see all."""
        return self.all() if user.is_staff else self.filter(owner=user)

    def move(self, to: str, **values: Any) -> int:
        """Bring the jobs of this set into state `to` where TRANSITIONS allows it; return how many.

        Conditional, so that of two who move the same job at once only the first one does.
        """
        sources = [state for state, targets in TRANSITIONS.items() if to in targets]
        if to in FINISHED:
            values = {"finished_at": Now(), **values}
        elif to == Job.State.QUEUED:
            values = {"finished_at": None, **values}
        if to not in HELD:
            values = {"lease_owner": "", "lease_expires_at": None, **values}
        return self.filter(state__in=sources).update(state=to, updated_at=Now(), **values)


class Job(models.Model):
    """One long thing. Its state moves by `JobQuerySet.move` only; the rest is its worker's."""

    class Desired(models.TextChoices):
        RUN = "run"
        PAUSE = "pause"
        CANCEL = "cancel"

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        PAUSED = "paused"
        CANCELLING = "cancelling"
        CANCELLED = "cancelled"
        DONE = "done"
        FAILED = "failed"

    kind = models.CharField(max_length=32, help_text="Which handler does it.")
    title = models.CharField(max_length=200)
    parameters: models.JSONField[Any, Any] = models.JSONField(default=dict, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="jobs",
        help_text="Who asked for it; empty: the system.",
    )
    desired = models.CharField(max_length=8, choices=Desired, default=Desired.RUN)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True, blank=True, help_text="Empty: not known.")
    unit = models.CharField(max_length=32, blank=True, help_text="What done and total count.")
    message = models.CharField(max_length=200, blank=True, help_text="What it is at.")
    checkpoint: models.JSONField[Any, Any] = models.JSONField(
        default=dict, blank=True, help_text="What the next worker resumes from."
    )
    result: models.JSONField[Any, Any] = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True)
    attempts = models.PositiveIntegerField(
        default=0, help_text="How often it was taken since it last got further."
    )
    lease_owner = models.CharField(max_length=128, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    fencing_token = models.BigIntegerField(
        default=0, help_text="Raised whenever it is taken; fences what its worker writes."
    )
    requested_at = models.DateTimeField(null=True, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True, help_text="Not taken before.")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        indexes = (
            models.Index(
                fields=("kind", "id"),
                condition=Q(state__in=("queued", "running", "paused", "cancelling")),
                name="job_active",
            ),
            models.Index(fields=("owner", "-id"), name="job_of_owner"),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(desired__in=("run", "pause", "cancel")), name="job_desired_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=("done", "cancelled", "failed"), finished_at__isnull=False)
                | Q(
                    state__in=("queued", "running", "paused", "cancelling"),
                    finished_at__isnull=True,
                ),
                name="job_finished_has_time",
            ),
            models.CheckConstraint(
                condition=Q(lease_expires_at=None) | Q(state__in=("running", "cancelling")),
                name="job_lease_only_at_work",
            ),
            models.CheckConstraint(
                condition=Q(done__gte=0) & (Q(total=None) | Q(total__gte=0)),
                name="job_progress_positive",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def topic(self) -> str:
        """The realtime topic of this job; the owner is in it, so that no look-up authorises."""
        return f"job:{self.owner_id or 0}:{self.pk}"


TRANSITIONS: Final[Mapping[str, frozenset[str]]] = {
    Job.State.QUEUED: frozenset({Job.State.RUNNING, Job.State.PAUSED, Job.State.CANCELLED}),
    Job.State.RUNNING: frozenset(
        {
            Job.State.RUNNING,  # taken over
            Job.State.QUEUED,
            Job.State.PAUSED,
            Job.State.CANCELLING,
            Job.State.CANCELLED,
            Job.State.DONE,
            Job.State.FAILED,
        }
    ),
    Job.State.PAUSED: frozenset({Job.State.QUEUED, Job.State.CANCELLED}),
    # It may have ended by itself before its worker heard of it.
    Job.State.CANCELLING: frozenset({Job.State.CANCELLED, Job.State.DONE, Job.State.FAILED}),
    Job.State.FAILED: frozenset({Job.State.QUEUED, Job.State.CANCELLED}),
    Job.State.CANCELLED: frozenset(),
    Job.State.DONE: frozenset(),
}
"""From each state to those it may become."""

FINISHED: Final = (Job.State.CANCELLED, Job.State.DONE, Job.State.FAILED)
HELD: Final = (Job.State.RUNNING, Job.State.CANCELLING)
"""The states in which a worker may hold the lease."""
