"""The one way to change a bot's state."""

from __future__ import annotations

from collections.abc import Mapping
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
    before = bot.state
    check_transition(before, after)
    with transaction.atomic():
        if not Bot.objects.filter(pk=bot.pk, state=before).update(state=after, **values):
            moved = Bot.objects.values_list("state", flat=True).get(pk=bot.pk)
            raise TransitionRefused(moved, after)
        event = BotEvent.objects.create(
            bot=bot,
            run_id=values["run"].pk if values.get("run") else bot.run_id,
            kind="state",
            time=time,
            before=before,
            after=after,
            actor=actor,
            source=source,
            why=why,
            details=dict(details or {}),
        )
        tell_bots({bot.pk: bot.owner_id})
    for name, value in {"state": after, **values}.items():
        setattr(bot, name, value)
    return event
