"""How often a collector may be started again, and how long to wait before it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from django.conf import settings

from marketdata.models import RestartReason

COUNTED: Final = (
    RestartReason.CRASH,
    RestartReason.STALLED,
    RestartReason.FAILOVER,
    RestartReason.LEASE_LOST,
)
"""Restarts that nobody wanted."""

LONGEST_BACKOFF_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Budget:
    """`restarts` unwanted ones in an hour; then a collector rests for `cooldown_s` seconds."""

    restarts: int
    backoff_s: float
    cooldown_s: float

    @classmethod
    def from_settings(cls) -> Self:
        """Return what the installation allows."""
        return cls(
            settings.COLLECTOR_RESTARTS_PER_HOUR,
            settings.COLLECTOR_BACKOFF_SECONDS,
            settings.COLLECTOR_COOLDOWN_SECONDS,
        )

    def is_spent(self, restarts: int) -> bool:
        """Whether `restarts` within the last hour are too many."""
        return restarts >= self.restarts

    def rest_s(self, restarts: int) -> float:
        """Return the seconds from an end to the next start, after `restarts` in the last hour.

        The first restart is free, so that a worker that dies costs no more than its lease.
        """
        if self.is_spent(restarts):
            return self.cooldown_s
        if restarts == 0:
            return 0.0
        return float(min(LONGEST_BACKOFF_S, self.backoff_s * 2 ** (restarts - 1)))
