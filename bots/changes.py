"""The one way to change a bot's state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from bots.domain.lifecycle import TransitionRefused, check_transition
from bots.models import Bot, BotEvent
from bots.publishing import tell_bots


def change_state(
    bot: Bot,
    after: str,
    *,
    source: str,
    actor: Any = None,
    why: str = "",
    details: Mapping[str, Any] | None = None,
    time: datetime | None = None,
    **values: Any,
) -> BotEvent:
    """Bring a bot into a state and write down who or what did it and why.

    `source` is person, step, watchdog, owner limit, kill switch or system, `actor` the person;
    `time` is exchange time. `values` are further columns of the bot, changed with its state.
    Raises TransitionRefused where the table forbids it, and where the bot is no longer in the
    state that `bot` says.
    """
    events = change_states(
        [bot],
        after,
        source=source,
        actor=actor,
        why=why,
        details=details,
        time=time,
        **values,
    )
    return events[0]


def change_states(
    bots: Sequence[Bot],
    after: str,
    *,
    source: str,
    actor: Any = None,
    why: str = "",
    details: Mapping[str, Any] | None = None,
    time: datetime | None = None,
    **values: Any,
) -> list[BotEvent]:
    """Do to all bots what `change_state` does to one, or to none of them.

    In as many statements as they are in different states.
    """
    if not bots:
        return []
    for bot in bots:
        check_transition(bot.state, after)
    run = values.get("run")
    told: dict[str, Any] = {"actor": actor, "source": source, "why": why, "time": time}
    told |= {"kind": "state", "after": after, "details": dict(details or {})}
    with transaction.atomic():
        for before in sorted({bot.state for bot in bots}):
            _move([bot.pk for bot in bots if bot.state == before], before, after, values)
        events = BotEvent.objects.bulk_create(
            BotEvent(bot=bot, run_id=run.pk if run else bot.run_id, before=bot.state, **told)
            for bot in bots
        )
        tell_bots({bot.pk: bot.owner_id for bot in bots})
    for bot in bots:
        for name, value in {"state": after, **values}.items():
            setattr(bot, name, value)
    return events


def _move(ids: Sequence[int], before: str, after: str, values: Mapping[str, Any]) -> None:
    if Bot.objects.filter(pk__in=ids, state=before).update(state=after, **values) == len(ids):
        return
    states = set(Bot.objects.filter(pk__in=ids).values_list("state", flat=True))
    raise TransitionRefused(min(states - {after}, default=after), after)
