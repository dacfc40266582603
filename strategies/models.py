"""Configurations of strategies, in versions that stay as they were once something ran with them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Coalesce, Now

from marketdata.domain.timeframe import Timeframe


class ConfigQuerySet(models.QuerySet["StrategyConfig"]):
    def visible_to(self, user: Any) -> ConfigQuerySet:
        """Return a person's own configurations and those that belong to everybody."""
        return self.filter(Q(owner=user) | Q(owner=None))

    def newest(self) -> ConfigQuerySet:
        """Return the newest version of each configuration that was not deleted."""
        # Everybody's have no owner, and NULL equals nothing.
        whose = Coalesce("owner_id", 0)
        later = StrategyConfig.objects.alias(whose=whose).filter(
            whose=Coalesce(OuterRef("owner_id"), 0),
            name=OuterRef("name"),
            version__gt=OuterRef("version"),
        )
        return self.filter(~Exists(later), deleted_at=None)

    def versions_of(self, owner: Any, name: str) -> ConfigQuerySet:
        """Return all versions of one configuration, the newest first."""
        return self.filter(owner=owner, name=name).order_by("-version")


class StrategyConfig(models.Model):
    """One version of a configuration. What makes a target is never changed once it was used."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="strategy_configs",
        help_text="Empty: everybody's, to look at and to run.",
    )
    name = models.CharField(max_length=64)
    version = models.PositiveIntegerField(default=1)
    strategy = models.CharField(max_length=128, help_text="The key of the strategy.")
    timeframe = models.CharField(
        max_length=4, choices=[(each.value, each.value) for each in Timeframe]
    )
    params: models.JSONField[Any, Any] = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    used_at = models.DateTimeField(
        null=True, blank=True, help_text="When something first ran with it; then it stays."
    )
    deleted_at = models.DateTimeField(
        null=True, blank=True, help_text="Used, and deleted since: kept for what ran with it."
    )
    is_proven = models.BooleanField(
        null=True, blank=True, help_text="Whether it passed all proofs; empty: not tried."
    )
    proofs: models.JSONField[Any, Any] = models.JSONField(default=list, blank=True)
    proven_at = models.DateTimeField(null=True, blank=True)
    proven_code = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of the strategy's code that was proven."
    )

    objects = ConfigQuerySet.as_manager()

    class Meta:
        ordering = ("name", "-version")
        constraints = (
            models.UniqueConstraint(
                fields=("owner", "name", "version"),
                nulls_distinct=False,
                name="strategyconfig_version_unique",
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="strategyconfig_from_one"),
            models.CheckConstraint(
                condition=Q(is_proven=None, proven_at=None, proven_code="")
                | (Q(is_proven__isnull=False, proven_at__isnull=False) & ~Q(proven_code="")),
                name="strategyconfig_proof_whole",
            ),
            models.CheckConstraint(
                condition=Q(deleted_at=None) | Q(used_at__isnull=False),
                name="strategyconfig_only_used_kept",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    def is_same_as(self, strategy: str, timeframe: str, params: dict[str, Any]) -> bool:
        """Return whether it decides what the given parameters decide."""
        return (self.strategy, self.timeframe, self.params) == (strategy, timeframe, params)
