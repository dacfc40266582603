"""What follows from steps: states that change, runs that end, and runs that follow them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from django.db.models.functions import Now

from bots.changes import change_states
from bots.domain.accounts import gone_on
from bots.domain.lifecycle import State
from bots.domain.running import Outcome
from bots.manager.starting import begin_run
from bots.models import Bot, BotCommand, BotRun
from bots.recorder import Ending, end_runs

_FOLLOWING: Final = {
    (BotCommand.Kind.PAUSE, State.RUNNING): State.PAUSED,
    (BotCommand.Kind.RESUME, State.PAUSED): State.RUNNING,
}
"""What an order from outside makes of a bot in a state."""


class _Change(NamedTuple):
    """A change of state that several bots may have in common."""

    after: State
    source: str
    why: str = ""


def settle(outcomes: Sequence[Outcome]) -> list[int]:
    """Bring bots into the states that their steps led to; return the runs that ended.

    To be called in the transaction of the steps, after their record. All bots that are halted at
    once take as few statements as one.
    """
    _change([one for one in outcomes if one.end or one.obeyed])
    end_runs(
        [
            Ending(one.run, one.account.place, one.account.state, one.end)
            for one in outcomes
            if one.end
        ]
    )
    ended = [one for one in outcomes if one.end]
    for one in ended:
        if one.is_followed:
            kernel = gone_on(one.account.state, is_edited=one.end == BotRun.End.EDITED)
            begin_run(one.bot.id, one.account.place.minute_ms, kernel)
    over = [one.bot.id for one in ended if not one.is_followed]
    if over:
        BotCommand.objects.waiting().filter(bot__in=over).update(dropped_at=Now())
    return [one.run.id for one in ended]


def _change(outcomes: Sequence[Outcome]) -> None:
    """Let states follow: each bot's changes in their order, those of all bots side by side."""
    bots = {one.bot.id: _row(one) for one in outcomes}
    waiting = {one.bot.id: list(_changes(one)) for one in outcomes}
    while any(waiting.values()):
        alike: dict[_Change, list[Bot]] = {}
        for bot_id, changes in waiting.items():
            if changes:
                alike.setdefault(changes.pop(0), []).append(bots[bot_id])
        for change, these in alike.items():
            is_over = change.after in (State.HALTED, State.STOPPED)
            values: dict[str, Any] = {"desired": Bot.Desired.STOPPED} if is_over else {}
            change_states(these, change.after, source=change.source, why=change.why, **values)


def _row(outcome: Outcome) -> Bot:
    bot = outcome.bot
    return Bot(id=bot.id, owner_id=bot.owner_id, state=bot.state, run_id=outcome.run.id)


def _changes(outcome: Outcome) -> Iterator[_Change]:
    """Yield what becomes of a bot's state, one after the other."""
    state, source = State(outcome.bot.state), "step"
    for obeyed in outcome.obeyed:
        after = _FOLLOWING.get((BotCommand.Kind(obeyed.kind), state))
        if after is not None:
            yield _Change(after, obeyed.source)
            state = after
        if obeyed.kind == BotCommand.Kind.HALT:
            source = obeyed.source
    if outcome.end == BotRun.End.HALTED:
        yield _Change(State.HALTED, source)
    elif outcome.end == BotRun.End.STOPPED:
        yield _Change(State.STOPPED, source)
    elif _leaves(outcome) and state != State.STOPPING:
        yield _Change(State.STOPPING, source, "halted: it is flat with the next open")


def _leaves(outcome: Outcome) -> bool:
    """Return whether an order to halt waits for an open to leave at."""
    kinds = {obeyed.kind for obeyed in outcome.obeyed}
    return BotCommand.Kind.HALT in kinds and bool(outcome.account.state["is_halted"][0])
