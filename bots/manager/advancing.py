"""What one bot does now: its due halves, the orders it was given, and whether its run ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from backtests.domain.records import UNCHANGED, Command, Integers
from bots.domain.grouping import Decided
from bots.domain.halves import OPENING, Place
from bots.domain.lifecycle import State
from bots.domain.running import Obeyed, Outcome, RunSettings, TakenBot
from bots.domain.stepping import NEVER, may_end, next_edge, obeyed, reach, stepped
from bots.domain.timeline import Timeline
from bots.manager.groups import Groups
from bots.manager.view import InstrumentView
from bots.models import BotCommand, BotRun
from bots.storage.rows import AliveBot
from marketdata.domain.timeframe import MINUTE_MS

COMMANDS: Final = {
    BotCommand.Kind.FLATTEN: Command.FLATTEN,
    BotCommand.Kind.PAUSE: Command.PAUSE,
    BotCommand.Kind.RESUME: Command.RESUME,
    BotCommand.Kind.HALT: Command.HALT,
}

Code = tuple[str, str]
"""The key of a strategy and the hash of its code."""

AnyBot = AliveBot | TakenBot


def code_of(run: RunSettings) -> Code:
    """Return by which code a run decides."""
    return run.group.strategy, run.group.source_hash


@dataclass(slots=True, eq=False)
class Advance:
    """Steps bots of one instrument through one timeline; what they share is made once."""

    view: InstrumentView
    line: Timeline
    groups: Groups
    outdated: frozenset[Code]
    """Code that runs began with, and that is not what its strategy has now."""
    ready: dict[int, int] = field(default_factory=dict)
    """By which version of its settings the next run of a bot may begin: nobody is asked then."""
    _targets: dict[int, Integers] = field(default_factory=dict)

    def outcome(
        self, bot: TakenBot, run: RunSettings, orders: Sequence[BotCommand], most: int
    ) -> Outcome | None:
        """Return what a bot does, up to `most` minutes; None when nothing is due to it.

        Orders are carried out behind all minutes that are due. To be asked for a bot of which
        everything is known; see `knows`.
        """
        is_stopping = bot.state == State.STOPPING
        decided = self._decided(bot, run)
        done = Outcome(bot, run, bot.account, decided)
        edge_ms = self._edge(bot, run, orders)
        whole = reach(
            self.line,
            bot.place,
            run.timeframe,
            None if decided is None else self.groups.standing[run.group].cursor_ms,
            is_stopping=is_stopping and not orders,
            edge_ms=edge_ms,
            now_ms=self.view.now_ms if self.view.is_live else 0,
            max_entry_age_ms=run.max_entry_age_ms,
        )
        first = self.line.index(bot.place.minute_ms)
        until = whole._replace(settled=min(whole.settled, first + most))
        step = stepped(bot.account, run.rules, self.line, self._targets_of(decided), until)
        if step.after.place != bot.place or step.is_over:
            done.take(step)
        if not step.is_over and first + done.minutes < min(whole.settled, whole.edge):
            return done
        for order in orders:
            self._obey(done, order)
        self._end(done, is_stopping=is_stopping, edge_ms=edge_ms)
        return done if done.steps or done.end else None

    def knows(self, bot: TakenBot, run: RunSettings, orders: Sequence[BotCommand]) -> bool:
        """Return whether all is known that a bot needs; strategies cannot be asked any more.

        Not of a run that another process has begun since the bots were looked at. One that is to
        halt needs nothing.
        """
        if self.is_followed(bot, run, orders) and self.ready.get(bot.id) != bot.version:
            return False
        return _are_to_halt(orders) or not self.lags(bot, run)

    def lags(self, bot: AnyBot, run: RunSettings) -> bool:
        """Return whether a bot needs decisions that are not known: its group has forgotten them."""
        if self._is_undecided(bot, run):
            return False
        return self.groups.decided_since(run.group, bot.place.minute_ms) is None

    def is_followed(self, bot: AnyBot, run: RunSettings, orders: Sequence[BotCommand] = ()) -> bool:
        """Return whether a run ends at an edge where another begins: its settings or code are old.

        A bot on its way out needs no other run, unless this engine cannot go on with the one it is
        in.
        """
        is_leaving = bot.state == State.STOPPING or _are_to_halt(orders)
        if is_leaving and run.is_of_this_engine:
            return False
        return self.is_outdated(run) or _is_edited(bot, run)

    def is_outdated(self, run: RunSettings) -> bool:
        """Return whether a run was begun with other code than there is now."""
        return code_of(run) in self.outdated or not run.is_of_this_engine

    def _is_undecided(self, bot: AnyBot, run: RunSettings) -> bool:
        """Return whether a bot goes on without decisions: it, or its run, is on its way out."""
        if self.is_outdated(run):
            return True
        groups, key = self.groups, run.group
        is_lost = key in groups.lost and not groups.decided_since(key, bot.place.minute_ms)
        is_leaving = bot.state == State.STOPPING or _is_edited(bot, run)
        return is_leaving and (is_lost or key in groups.failed)

    def _edge(self, bot: TakenBot, run: RunSettings, orders: Sequence[BotCommand]) -> int:
        """Return where the run is to end, in ms: at the next candle's edge after an edit.

        Code that is gone, or fails, can decide on no further candle: then at the next minute.
        """
        if not self.is_followed(bot, run, orders):
            return NEVER
        if self._is_undecided(bot, run):
            return bot.place.minute_ms + (MINUTE_MS if bot.place.phase != OPENING else 0)
        return next_edge(bot.place, run.timeframe)

    def _decided(self, bot: TakenBot, run: RunSettings) -> Decided | None:
        """Return what a bot's group decided since it stands where it does; None: nothing any more.

        What one that failed has decided before holds: a bot is told to leave although its strategy
        fails.
        """
        if self._is_undecided(bot, run):
            return None
        return self.groups.decided_since(run.group, bot.place.minute_ms)

    def _targets_of(self, decided: Decided | None) -> Integers:
        if decided is None:
            return np.full(len(self.line.halves.times), UNCHANGED, np.int64)
        # They are kept here or in the groups: an id names one of them.
        if id(decided) not in self._targets:
            self._targets[id(decided)] = decided.targets(self.line)
        return self._targets[id(decided)]

    def _obey(self, done: Outcome, order: BotCommand) -> None:
        tick = self._tick(done)
        place = done.account.place
        done.take(obeyed(done.account, done.run.rules, COMMANDS[BotCommand.Kind(order.kind)], tick))
        done.obeyed.append(
            Obeyed(order.pk, order.kind, order.source, order.asked_by_id, place, tick)
        )

    def _tick(self, done: Outcome) -> int:
        """Return the price that an order from outside is filled at; 0 for the next open."""
        if self.view.is_live:
            return self.view.live_tick(done.run.units)
        place, index = done.account.place, self.line.index(done.account.place.minute_ms)
        if place.phase != OPENING and index < len(self.line.halves.times):
            return int(self.line.halves.opens[index])
        return int(done.account.state["last_tick"][0])

    def _end(self, done: Outcome, *, is_stopping: bool, edge_ms: int) -> None:
        """Note why the run ends here, if it does."""
        state = done.account.state
        if may_end(state, is_stopping=is_stopping):
            done.end = BotRun.End.HALTED if state["is_halted"][0] else BotRun.End.STOPPED
        elif edge_ms != NEVER and done.account.place == Place(edge_ms, OPENING):
            outdated = self.is_outdated(done.run)
            done.end = BotRun.End.UPGRADED if outdated else BotRun.End.EDITED
            done.is_followed = True


def _is_edited(bot: AnyBot, run: RunSettings) -> bool:
    return bot.version != run.version and bot.state in (State.RUNNING, State.PAUSED)


def _are_to_halt(orders: Sequence[BotCommand]) -> bool:
    return any(order.kind == BotCommand.Kind.HALT for order in orders)
