"""Whether a bot gets on, and what keeps it when it does not: progress is watched, not life.

A worker that answers and a heartbeat that beats prove nothing about a bot that does no minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Trouble(StrEnum):
    """What keeps a bot."""

    NONE = ""
    FEED_STALE = "feed_stale"
    """Nothing comes from the exchange, or from its collector."""
    WORKER_DEAD = "worker_dead"
    """What is due is stored, and nobody does it."""
    STRATEGY_ERROR = "strategy_error"
    """Its strategy raised, answered nonsense or took too long."""
    DATA_GAP = "data_gap"
    """The minute it waits for is missing, and later ones are there."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long something may last before it is a trouble, in seconds of the wall clock.

    `silent_s` must be longer than a minute: that long a bot waits for the next one.
    """

    stalled_s: float
    gap_s: float
    silent_s: float


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen of a bot's next minute.

    `standing_s` is for how long it has been seen like this, by the wall clock: at this minute, and
    this minute stored or not.
    """

    is_stored: bool
    has_later: bool
    standing_s: float
    is_feed_stale: bool = False
    is_live: bool = True

    def trouble(self, patience: Patience) -> Trouble:
        """Return what keeps the bot, if anything does."""
        if self.is_stored:
            return _after(Trouble.WORKER_DEAD, self.standing_s > patience.stalled_s)
        if self.has_later:
            return _after(Trouble.DATA_GAP, self.standing_s > patience.gap_s)
        is_silent = self.is_feed_stale or self.standing_s > patience.silent_s
        return _after(Trouble.FEED_STALE, self.is_live and is_silent)


@dataclass(frozen=True, slots=True)
class Budget:
    """How often a bot may be started anew by itself, and the first pause before it, in seconds."""

    restarts: int
    first_pause_s: float

    def is_used_up(self, restarts: int) -> bool:
        """Return whether a bot that was started anew so often is left to a person."""
        return restarts >= self.restarts

    def pause(self, restarts: int) -> timedelta:
        """Return the pause before the next start: doubled each time."""
        return timedelta(seconds=self.first_pause_s * 2**restarts)


def _after(trouble: Trouble, is_over: bool) -> Trouble:
    return trouble if is_over else Trouble.NONE
