"""One bot folded over the minutes that are due to it: pure, state in and state out.

The same functions do a bot's next minute and, folded over all its minutes, its whole run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from backtests.domain.records import (
    UNCHANGED,
    Events,
    Integers,
    Reason,
    Rules,
    States,
    new_events,
)
from bots.domain.halves import CLOSE, MADE, MARK, Made, Marks, Place, Until
from bots.domain.timeline import Timeline
from marketdata.domain.timeframe import MINUTE_MS, Timeframe

_ROOM: Final = 64
NEVER: Final = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """Where a bot stands: its place and the record of the kernel."""

    place: Place
    state: States


@dataclass(frozen=True, slots=True)
class Decision:
    """A change of what a strategy wants, in millionths of a position."""

    close_ms: int
    before: int
    target: int
    is_missed: bool


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What some halves of minutes did to an account.

    `marks` stand beside `closes_ms`, the close times of the candles that were passed, with the
    closes in ticks. `seen` are the minutes, with their revisions, that were not in their first
    one. `is_over`: nothing is left to be done, the run may end.
    """

    before: States
    after: Account
    events: Events
    made: Made
    decisions: tuple[Decision, ...]
    closes_ms: Integers
    closes: Integers
    marks: Marks
    seen: tuple[tuple[int, int], ...]
    is_over: bool


def stepped(
    account: Account, rules: Rules, line: Timeline, targets: Integers, until: Until
) -> Step:
    """Return what the due halves do to an account.

    `targets` are the strategy's in millionths, UNCHANGED where it has none, by index of the
    timeline; `until` says how far it may go. The account is not changed.
    """
    # Imported at the first use: importing Numba takes longer than starting a web process.
    from bots.domain.kernels.folding import ENDED, FULL, fold

    state = account.state.copy()
    marks = np.zeros(len(line.halves.times), MARK)
    first = index = line.index(account.place.minute_ms)
    phase, room, code = account.place.phase, _ROOM, FULL
    told, orders = list[Events](), list[Made]()
    while code == FULL:
        events, made = new_events(room), np.zeros(room, MADE)
        index, phase, count, number, code = fold(
            state, rules, line.halves, index, phase, until, targets, marks, events, made
        )
        made = made[:number]
        made["after"] += sum(map(len, told))
        told.append(events[:count])
        orders.append(made)
        room *= 4
    place = Place(line.start_ms + index * MINUTE_MS, phase)
    closed = np.flatnonzero(line.halves.is_closed[first:index]) + first
    return Step(
        before=account.state,
        after=Account(place, state),
        events=np.concatenate(told),
        made=np.concatenate(orders),
        decisions=_decisions(int(account.state["target"][0]), line, targets, closed, until),
        closes_ms=line.halves.times[closed] + MINUTE_MS,
        closes=line.halves.closes[closed],
        marks=marks[closed],
        seen=_seen(line, first, index),
        is_over=code == ENDED,
    )


def obeyed(account: Account, rules: Rules, command: int, tick: int) -> Step:
    """Return what a command does at an account's place; see the kernel's `obey`."""
    from backtests.domain.kernels.execution import obey
    from bots.domain.kernels.folding import note_made

    state = account.state.copy()
    events, made = new_events(8), np.zeros(1, MADE)
    waits = int(state["order_ms"][0]), int(state["order_reason"][0])
    time_ms = account.place.minute_ms
    count = obey(state[0], rules, time_ms, command, tick, events, 0)
    is_new = state["order_reason"][0] != 0 and waits != (
        int(state["order_ms"][0]),
        int(state["order_reason"][0]),
    )
    number = note_made(state[0], count, made, 0) if is_new else 0
    nothing = np.empty(0, np.int64)
    return Step(
        before=account.state,
        after=Account(account.place, state),
        events=events[:count],
        made=made[:number],
        decisions=(),
        closes_ms=nothing,
        closes=nothing,
        marks=np.zeros(0, MARK),
        seen=(),
        is_over=False,
    )


def reach(
    line: Timeline,
    place: Place,
    timeframe: Timeframe,
    decided_ms: int | None,
    *,
    is_stopping: bool = False,
    edge_ms: int = NEVER,
    now_ms: int = 0,
    max_entry_age_ms: int = 0,
) -> Until:
    """Return how far an account at `place` may go.

    Not past a missing minute that is waited for, nor past a candle of the strategy that closes
    after `decided_ms`, up to which it has decided (None: whatever it says does not matter), nor
    past `edge_ms`, at which its run is to end.
    """
    settled = line.settled(line.index(place.minute_ms))
    if decided_ms is not None:
        next_close_ms = timeframe.open_time(decided_ms) + timeframe.ms
        settled = min(settled, line.index(next_close_ms) - 1)
    edge = len(line.halves.times) if edge_ms == NEVER else line.index(edge_ms)
    return Until(settled, edge, is_stopping, now_ms, max_entry_age_ms)


def next_edge(place: Place, timeframe: Timeframe) -> int:
    """Return the first edge of a candle that an account at `place` has not passed, in ms."""
    minute_ms = place.minute_ms + (MINUTE_MS if place.phase == CLOSE else 0)
    return -(-minute_ms // timeframe.ms) * timeframe.ms


def may_end(state: States, *, is_stopping: bool) -> bool:
    """Return whether a run may end here; see the compiled `fold`."""
    reason = int(state["order_reason"][0])
    if is_stopping:
        return reason in (Reason.NONE, Reason.TARGET)
    return bool(state["is_halted"][0]) and not state["lots"][0] and reason == Reason.NONE


def _decisions(
    target: int, line: Timeline, targets: Integers, closed: Integers, until: Until
) -> tuple[Decision, ...]:
    told = []
    for index in closed[targets[closed] != UNCHANGED].tolist():
        wanted = int(targets[index])
        if wanted != target:
            close_ms = int(line.halves.times[index]) + MINUTE_MS
            # One to leave is never too late.
            is_late = until.now_ms - close_ms > until.max_entry_age_ms
            is_missed = wanted != 0 and is_late
            told.append(Decision(close_ms, target, wanted, is_missed))
            target = wanted
    return tuple(told)


def _seen(line: Timeline, first: int, end: int) -> tuple[tuple[int, int], ...]:
    revisions = line.revisions[first:end]
    odd = np.flatnonzero(revisions != 0)
    times = line.halves.times[first + odd]
    return tuple(zip(times.tolist(), revisions[odd].tolist(), strict=True))
