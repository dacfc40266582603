"""What follows from a step: states that change, runs that end, and runs that follow them."""

from __future__ import annotations

from typing import Any, Final

from django.db.models.functions import Now

from bots.changes import change_state
from bots.domain.accounts import carried
from bots.domain.lifecycle import State
from bots.domain.running import Obeyed, Outcome
from bots.manager.starting import begin_run
from bots.models import Bot, BotCommand, BotRun
from bots.recorder import end_run

_CONTINUED: Final = (BotRun.End.EDITED, BotRun.End.UPGRADED)


def settle(outcome: Outcome) -> list[int]:
    """Bring a bot into the state that its step led to; return the runs that ended.

    To be called in the transaction of the step, after its record.
    """
    if outcome.end is None and not outcome.obeyed:
        return []
    bot = Bot(id=outcome.bot.id, state=outcome.bot.state, run_id=outcome.run.id)
    for obeyed in outcome.obeyed:
        _follow(bot, obeyed)
    if outcome.end is None:
        if _leaves(outcome) and bot.state != State.STOPPING:
            _change(bot, State.STOPPING, outcome, "halted: it is flat with the next open")
        return []
    place, state = outcome.account.place, outcome.account.state
    end_run(outcome.run, place, state, BotRun.End(outcome.end))
    if outcome.end in _CONTINUED:
        begin_run(bot.pk, place.minute_ms, carried(state, is_new_start=False))
        return [outcome.run.id]
    after = State.HALTED if outcome.end == BotRun.End.HALTED else State.STOPPED
    _change(bot, after, outcome, "", desired=Bot.Desired.STOPPED)
    BotCommand.objects.waiting().filter(bot=bot.pk).update(dropped_at=Now())
    return [outcome.run.id]


def _leaves(outcome: Outcome) -> bool:
    """Return whether an order to halt waits for an open to leave at."""
    kinds = {obeyed.kind for obeyed in outcome.obeyed}
    return BotCommand.Kind.HALT in kinds and bool(outcome.account.state["is_halted"][0])


def _follow(bot: Bot, obeyed: Obeyed) -> None:
    """Let the state say what an order from outside made of a bot."""
    if obeyed.kind == BotCommand.Kind.PAUSE and bot.state == State.RUNNING:
        change_state(bot, State.PAUSED, source=obeyed.source)
    elif obeyed.kind == BotCommand.Kind.RESUME and bot.state == State.PAUSED:
        change_state(bot, State.RUNNING, source=obeyed.source)


def _change(bot: Bot, after: State, outcome: Outcome, why: str, **values: Any) -> None:
    halts = [one for one in outcome.obeyed if one.kind == BotCommand.Kind.HALT]
    source = halts[-1].source if halts else "step"
    change_state(bot, after, source=source, why=why, **values)
