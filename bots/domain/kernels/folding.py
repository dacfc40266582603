"""One bot's halves of minutes, one after another, by the execution kernel of the backtests."""

from __future__ import annotations

from typing import Any, Final

from backtests.domain.kernels.execution import ROOM, close_minute, open_minute
from backtests.domain.records import Events, Integers, Reason, Record, Rules, States
from bots.domain.halves import Halves, Made, Marks, Until
from marketdata.domain.compiling import compiled

DONE: Final = 0
FULL: Final = 1
"""The room for events is used up: go on with more."""
ENDED: Final = 2
"""The run is over: nothing is left to be done for it."""


@compiled
def fold(
    state: States,
    rules: Rules,
    halves: Halves,
    index: int,
    phase: int,
    until: Until,
    targets: Integers,
    marks: Marks,
    events: Events,
    made: Made,
) -> tuple[int, int, int, int, int]:
    """Do every half that is due from `index` and `phase` on.

    Returns the next index and phase, the numbers of events and of orders made, and DONE, FULL or
    ENDED.
    """
    one, count, orders, code = state[0], 0, 0, DONE
    while index < until.edge and index < len(halves.times) and code == DONE:
        is_due = index < until.settled or (phase == 0 and halves.is_open[index])
        if _is_over(one, until.is_stopping):
            code = ENDED
        elif not is_due:
            break
        elif count > len(events) - ROOM or orders == len(made):
            code = FULL
        elif phase == 0:
            if halves.is_open[index]:
                tick = halves.opens[index]
                count = open_minute(one, rules, halves.times[index], tick, events, count)
            phase = 1
        else:
            if halves.is_closed[index]:
                count = _close(one, rules, halves, index, until, targets[index], events, count)
                _mark(one, marks[index])
                orders = _note_new(one, halves.times[index], count, made, orders)
            index, phase = index + 1, 0
    if code == DONE and _is_over(one, until.is_stopping):
        code = ENDED
    return index, phase, count, orders, code


@compiled
def _close(
    state: Record,
    rules: Rules,
    halves: Halves,
    index: int,
    until: Until,
    target: int,
    events: Events,
    count: int,
) -> int:
    time_ms = halves.times[index]
    age_ms = until.now_ms - time_ms - 60_000
    return close_minute(
        state,
        rules,
        time_ms,
        halves.is_open[index],
        halves.opens[index],
        halves.highs[index],
        halves.lows[index],
        halves.closes[index],
        target,
        age_ms <= until.max_entry_age_ms,
        events,
        count,
    )


@compiled
def _note_new(state: Record, time_ms: int, count: int, made: Made, orders: int) -> int:
    """Note the order that was made with the close of this minute, if one was."""
    if state.order_reason != Reason.NONE and state.order_ms == time_ms + 60_000:
        return note_made(state, count, made, orders)
    return orders


@compiled
def note_made(state: Record, count: int, made: Made, orders: int) -> int:
    """Note the waiting order, made after `count` events."""
    row = made[orders]
    row.after, row.made_ms = count, state.order_ms
    row.target, row.reason = state.order, state.order_reason
    return orders + 1


@compiled
def _mark(state: Record, mark: Any) -> None:
    mark.equity, mark.cash, mark.lots = state.equity, state.cash, state.lots
    mark.peak, mark.day_equity = state.peak, state.day_equity


@compiled
def _is_over(state: Record, is_stopping: bool) -> bool:
    """Return whether the run may end here.

    A halted one once it is flat; a stopping one when no order to leave waits.
    """
    has_order = state.order_reason != Reason.NONE
    if is_stopping:
        return not has_order or state.order_reason == Reason.TARGET
    return state.is_halted != 0 and state.lots == 0 and not has_order
