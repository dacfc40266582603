"""The kill switch: everything flat, at the last trade, and halted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, OuterRef

from bots.changes import change_states
from bots.models import Bot, BotCommand, BotRun
from bots.models.bots import BotQuerySet
from bots.risk import begun_of, stop_failed, take_failed, within_reach
from bots.services.asking import ask_for
from tcpdashboard.common.rights import may_change

KILL_SWITCH: Final = BotCommand.Source.KILL_SWITCH

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Killed:
    """What the kill switch reached: ids of bots, and of the instruments they trade."""

    bots: tuple[int, ...]
    instruments: tuple[int, ...]

    def left(self) -> BotQuerySet:
        """Return those of the bots that still are alive."""
        return Bot.objects.alive().filter(pk__in=self.bots)


def kill_bots(owner: User | None, actor: User | None, why: str = "") -> Killed:
    """Order every bot of `owner`, or of everyone with None, to be flat and halted; return which.

    The orders are committed before this returns, and no lock that a step holds delays them; the
    steps that carry them out are asked for at once. Pressed twice, nothing is ordered twice.
    Raises PermissionDenied unless `actor` (None: the system) is the owner, or may change bots.
    """
    if actor is not None and actor != owner and not may_change(actor, Bot):
        raise PermissionDenied("the bots of others are halted by who may change bots")
    bots = _owned(owner)
    told: dict[str, Any] = {"asked_by": actor, "why": why}
    with transaction.atomic():
        failed = take_failed(bots)
        unbegun = _end_unbegun(bots, failed, actor, why)
        these = within_reach(bots, failed)
        reached = BotCommand.objects.give(these, BotCommand.Kind.HALT, KILL_SWITCH, **told)
        reached += stop_failed(failed, KILL_SWITCH, actor=actor, why=why)
        ask_for(instrument for _, instrument in reached)
    reached += unbegun
    log.warning("bots_killed", number=len(reached), owner=owner and owner.pk)
    return Killed(
        tuple(sorted(bot for bot, _ in reached)),
        tuple(sorted({instrument for _, instrument in reached})),
    )


def _owned(owner: User | None) -> BotQuerySet:
    return Bot.objects.filter(**{"owner": owner} if owner else {})


def _end_unbegun(
    bots: BotQuerySet, failed: Sequence[Bot], actor: User | None, why: str
) -> list[tuple[int, int]]:
    """Halt the bots that have no run yet, in which an order could take effect.

    One that failed before it began is stopped: it would be started anew.
    """
    has_run = Exists(BotRun.objects.filter(bot=OuterRef("pk"), end=None))
    unbegun = bots.filter(~has_run, state=Bot.State.STARTING, deleted_at=None)
    # One that a step is just opening a run for gets an order instead.
    starting = list(unbegun.select_for_update(skip_locked=True, no_key=True))
    begun = {bot.pk for bot in begun_of(failed)}
    stopped = [bot for bot in failed if bot.pk not in begun]
    told: dict[str, Any] = {"source": KILL_SWITCH, "actor": actor, "why": why}
    for rows, after in ((starting, Bot.State.HALTED), (stopped, Bot.State.STOPPED)):
        change_states(rows, after, desired=Bot.Desired.STOPPED, **told)
    return [(row.pk, row.instrument_id) for row in (*starting, *stopped)]
