"""Putting bots in error: what their strategy did, for its author to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.db import transaction

from bots.changes import change_state
from bots.manager.groups import Failure
from bots.models import Bot

STRATEGY_ERROR: Final = "strategy_error"


def fail_bots(ids: Sequence[int], failure: Failure) -> list[int]:
    """Put bots in error with what happened; return those that were not yet.

    One that somebody else holds at the moment is left for the next step.
    """
    failed = []
    with transaction.atomic():
        alive = Bot.objects.alive().exclude(state=Bot.State.STOPPING).filter(pk__in=list(ids))
        for bot in alive.select_for_update(skip_locked=True, no_key=True):
            change_state(
                bot,
                Bot.State.ERROR,
                source="step",
                why=failure.error,
                details={"trouble": STRATEGY_ERROR},
                trouble=STRATEGY_ERROR,
                last_error=failure.error,
                last_traceback=failure.trace,
            )
            failed.append(bot.pk)
    return failed
