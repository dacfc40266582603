"""Stepping all bots of an instrument through everything that is due."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from django.db import transaction

from bots.domain.lifecycle import State
from bots.domain.running import RunSettings
from bots.manager.advancing import Advance, Code, code_of
from bots.manager.asking import ask_for_bots, asked_to_begin, fail, tried
from bots.manager.chunks import Done, step_bots
from bots.manager.groups import Groups, advance_groups
from bots.manager.starting import start_bot
from bots.manager.strategies import describe, is_own, own_turn
from bots.manager.view import InstrumentView
from bots.models import Bot, BotCommand
from bots.storage.groups import read_groups
from bots.storage.rows import AliveBot, alive_bots
from bots.storage.runs import run_settings
from marketdata.models import Instrument
from strategies.domain.errors import StrategyError

_MOST_STARTED: Final = 100
_STARTED_AT_ONCE: Final = 25
_LAST_MS: Final = 2**47

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Stepped:
    """What a step did.

    `bots` are those that moved, each with its owner; `ended` the runs that ended; `failed` the
    bots that are in error now.
    """

    bots: dict[int, int]
    ended: tuple[int, ...]
    failed: tuple[int, ...]


class BotManager:
    """Moves cursors of bots. Rows are the state: any number of these may work at once."""

    def step(self, instrument_id: int) -> Stepped:
        """Do everything that is due for the bots of an instrument, whoever asked for it.

        What lags far, or has just begun, takes several passes, each with transactions of its own.
        """
        done = Done()
        instrument = Instrument.objects.get(pk=instrument_id)
        while _pass(instrument, done):
            pass
        return Stepped(done.moved, tuple(done.ended), tuple(done.failed))


def _pass(instrument: Instrument, done: Done) -> bool:
    """Step each bot once; return whether it is worth while to look again at once.

    Own strategies come last, and few threads wait for them: what they do delays nobody else. Nor
    does it delay an order to halt.
    """
    done.is_more = False
    alive = alive_bots(instrument.pk)
    runs = run_settings(one.run_id for one in alive if one.run_id)
    view = InstrumentView(instrument)
    own_ids = _with_own_strategy(alive, runs)
    _do([one for one in alive if one.id not in own_ids], view, runs, done)
    own = [one for one in alive if one.id in own_ids]
    if own:
        halted = _halt(own, view, runs, done)
        with own_turn() as is_mine:
            if is_mine:
                _do([one for one in own if one.id not in halted], view, runs, done)
    return done.is_more


def _with_own_strategy(bots: Sequence[AliveBot], runs: dict[int, RunSettings]) -> set[int]:
    """Return the bots whose strategy, or that of the run they begin, is somebody's own."""
    begun = [one for one in bots if one.run_id]
    keys = [(one.id, runs[one.run_id].group.strategy) for one in begun]
    beginning = {one.id for one in bots if one.state == State.STARTING}
    beginning |= {one.id for one in begun if one.version != runs[one.run_id].version}
    configs = Bot.objects.filter(pk__in=beginning).values_list("pk", "config__strategy")
    return {bot_id for bot_id, key in (*keys, *(configs if beginning else ())) if is_own(key)}


def _do(
    bots: Sequence[AliveBot], view: InstrumentView, runs: dict[int, RunSettings], done: Done
) -> None:
    """Step those that have begun, and let those begin that are to start."""
    for seen, part in _by_clock(bots, view, runs):
        _step(seen, part, runs, done)
    _start([one for one in bots if one.state == State.STARTING], view, done)


def _by_clock(
    bots: Sequence[AliveBot], view: InstrumentView, runs: dict[int, RunSettings]
) -> Iterator[tuple[InstrumentView, Sequence[AliveBot]]]:
    """Yield those of the bots that have begun with what they see, live ones together."""
    begun = [one for one in bots if one.state != State.STARTING]
    yield view, [one for one in begun if one.speed is None]
    for one in begun:
        if one.speed is not None:
            clock_ms = _clock_ms(runs[one.run_id], one.speed)
            yield InstrumentView(view.instrument, clock_ms), [one]


def _halt(
    bots: Sequence[AliveBot], view: InstrumentView, runs: dict[int, RunSettings], done: Done
) -> set[int]:
    """Carry out orders to halt before any strategy is asked: nothing more is decided for those.

    Returns the bots that were ordered to. One whose run this engine cannot go on with is not among
    them: it needs another, and a strategy that says how that begins.
    """
    begun = [one for one in bots if one.has_orders and one.state != State.STARTING]
    ordered = [one.id for one in begun if runs[one.run_id].is_of_this_engine]
    if not ordered:
        return set()
    halts = BotCommand.objects.waiting().filter(bot__in=ordered, kind=BotCommand.Kind.HALT)
    ids = set(halts.values_list("bot", flat=True))
    for seen, part in _by_clock([one for one in bots if one.id in ids], view, runs):
        if part:
            groups = Groups(read_groups({runs[one.run_id].group for one in part}))
            _trade(seen, part, runs, groups, frozenset(), done, may_ask=False)
    return ids


def _step(
    view: InstrumentView, bots: Sequence[AliveBot], runs: dict[int, RunSettings], done: Done
) -> None:
    """Let the groups of these bots decide, then let the bots trade."""
    if not bots:
        return
    settings = [runs[one.run_id] for one in bots]
    outdated = _outdated(settings)
    groups = advance_groups(view, {one.group for one in settings if code_of(one) not in outdated})
    before = len(done.ended)
    _trade(view, bots, runs, groups, outdated, done)
    _fail(bots, runs, groups, done)
    # Cut off: there is more to look at. Ended: a run that follows may be due.
    done.is_more |= (view.is_cut and groups.has_moved) or len(done.ended) > before


def _trade(
    view: InstrumentView,
    bots: Sequence[AliveBot],
    runs: dict[int, RunSettings],
    groups: Groups,
    outdated: frozenset[Code],
    done: Done,
    *,
    may_ask: bool = True,
) -> None:
    """Let bots do what their groups have decided, and the orders they were given."""
    first_ms = min(one.place.minute_ms for one in bots)
    # Runs keep the tick and the lot that they began with, whatever the exchange makes of them.
    for units in {runs[one.run_id].units for one in bots}:
        advance = Advance(view, view.line(first_ms, units), groups, outdated)
        alike = [one for one in bots if runs[one.run_id].units == units]
        due = [one for one in alike if _is_due(one, advance)]
        if may_ask:
            ask_for_bots(advance, due, runs, done)
        step_bots(advance, [one.id for one in due], done)


def _is_due(bot: AliveBot, advance: Advance) -> bool:
    """Return whether a look at the bot's row is worth while."""
    line, place = advance.line, bot.place
    if bot.has_orders or bot.state == State.STOPPING or advance.outdated:
        return True
    index = line.index(place.minute_ms)
    is_opening = place.phase == 0 and index < len(line.halves.times) and line.halves.is_open[index]
    return bool(is_opening) or index < line.settled(index)


def _outdated(runs: Iterable[RunSettings]) -> frozenset[Code]:
    """Return the strategies whose code is not any more what a run began with.

    One whose code is gone is among them: what follows says so.
    """
    outdated = set()
    for key, known in {code_of(run) for run in runs}:
        try:
            if describe(key).code_hash != known:
                outdated.add((key, known))
        except StrategyError:
            log.warning("strategy_gone", strategy=key)
    return frozenset(outdated)


def _fail(
    bots: Sequence[AliveBot], runs: dict[int, RunSettings], groups: Groups, done: Done
) -> None:
    """Put the bots in error whose strategy could not decide."""
    for key, failure in groups.failed.items():
        alike = [one for one in bots if runs[one.run_id].group == key]
        # Those that were edited may decide otherwise by now.
        fail([one for one in alike if one.run_id not in done.ended], failure, done)
    done.moved |= {one.id: one.owner_id for one in bots if one.id in done.failed}


def _start(bots: Sequence[AliveBot], view: InstrumentView, done: Done) -> None:
    """Let bots begin, some in one transaction: what takes longest of a start is its commit."""
    asked = {row.pk for row in asked_to_begin(bots[:_MOST_STARTED], done)}
    ready = [one for one in bots if one.id in asked]
    for first in range(0, len(ready), _STARTED_AT_ONCE):
        with transaction.atomic():
            chunk = ready[first : first + _STARTED_AT_ONCE]
            begun = [one for one in chunk if tried(one, done, start_bot, one.id, view)]
        done.moved |= {one.id: one.owner_id for one in begun}
        done.is_more |= bool(begun)


def _clock_ms(run: RunSettings, speed: float) -> int:
    """Return the time of a clock over stored candles, running since the run was opened."""
    elapsed_ms = time.time_ns() // 1_000_000 - run.started_ms
    return min(run.start_ms + int(elapsed_ms * speed), _LAST_MS)
