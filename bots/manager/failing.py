"""Putting bots in error: what their strategy did, for its author to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.db import transaction

from bots.changes import change_states
from bots.manager.groups import Failure
from bots.models import Bot

STRATEGY_ERROR: Final = "strategy_error"


def fail_bots(ids: Sequence[int], failure: Failure, *, is_its_own: bool = False) -> list[int]:
    """Put bots in error with what happened; return those that were not yet.

    One that somebody else holds at the moment is left for the next step, and so is one on its way
    out, which needs no strategy any more, unless the failure is that of its own step.
    """
    alive = Bot.objects.alive().filter(pk__in=list(ids)).order_by("pk")
    if not is_its_own:
        alive = alive.exclude(state=Bot.State.STOPPING)
    with transaction.atomic():
        bots = list(alive.select_for_update(skip_locked=True, no_key=True))
        change_states(
            bots,
            Bot.State.ERROR,
            source="step",
            why=failure.error,
            details={"trouble": STRATEGY_ERROR},
            trouble=STRATEGY_ERROR,
            last_error=failure.error,
            last_traceback=failure.trace,
        )
    return [bot.pk for bot in bots]
