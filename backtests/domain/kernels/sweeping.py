"""A run of which only figures are wanted: the same minutes, without looking at the quiet ones.

Nothing but a new target, an order or a guarded position can change the account. So between two
targets that differ the kernel is called for the few minutes that matter, and what the account is
worth in the others follows from their closes. Events and figures have the bits of `walk`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtests.domain.kernels.execution import ROOM, close_minute, open_minute
from backtests.domain.kernels.limits import begin_day
from backtests.domain.kernels.stops import is_guarded
from backtests.domain.records import (
    UNCHANGED,
    Events,
    Integers,
    Minutes,
    Reason,
    Record,
    Rules,
    States,
)
from marketdata.domain.compiling import compiled, inlined

BLOCK: Final = 64
"""Minutes whose highest and lowest close are known together."""

# What a sweep carries along, by place.
BEST, LOW, MARK = 0, 1, 2


@compiled
def blocks_of(closes: Integers, highs: Integers, lows: Integers) -> None:
    """Fill the highest and the lowest close of every whole block."""
    for block in range(len(highs)):
        first = block * BLOCK
        highest = lowest = closes[first]
        for index in range(first + 1, first + BLOCK):
            highest = max(highest, closes[index])
            lowest = min(lowest, closes[index])
        highs[block], lows[block] = highest, lowest


@compiled
def sweep(
    state: States,
    rules: Rules,
    minutes: Minutes,
    codes: NDArray[np.int8],
    values: Integers,
    highs: Integers,
    lows: Integers,
    marks: Integers,
    days: Integers,
    events: Events,
) -> tuple[int, float]:
    """Fold all minutes; return the number of events and the deepest fall below the best equity.

    The target of a minute is the one of `values` (millionths, or UNCHANGED) that `codes` names;
    without values it is that of `minutes`. `highs` and `lows` are those of `blocks_of`. `days` is
    filled with the equity at the minutes `marks`. A number of -1 says that there was not enough
    room for the events: begin anew with more.
    """
    one = state[0]
    guarded = is_guarded(rules)
    carried = np.array([one.equity, one.equity, 0])
    depth, count, index, change, length = 0.0, 0, 0, 0, len(minutes.times)
    while index < length:
        if change <= index:
            change = _next_change(minutes.targets, codes, values, index, one.target)
        if index < change and _is_resting(one, guarded):
            depth = _rest(
                one, rules, minutes, highs, lows, index, change, marks, days, carried, depth
            )
            index = change
            continue
        if count > len(events) - ROOM:
            return -1, 0.0
        target = _target(minutes.targets, codes, values, index)
        count = _live(one, rules, minutes, index, target, events, count)
        depth = _seen(one.equity, carried, depth)
        _mark_days(one.equity, index, marks, days, carried)
        index += 1
    return count, _fallen(carried, depth)


@inlined
def _mark_days(equity: int, index: int, marks: Integers, days: Integers, carried: Integers) -> None:
    while carried[MARK] < len(marks) and marks[carried[MARK]] == index:
        days[carried[MARK]] = equity
        carried[MARK] += 1


@inlined
def _target(targets: Integers, codes: NDArray[np.int8], values: Integers, index: int) -> int:
    if len(values):
        return values[codes[index]]  # type: ignore[no-any-return]
    return targets[index]  # type: ignore[no-any-return]


@inlined
def _next_change(
    targets: Integers, codes: NDArray[np.int8], values: Integers, index: int, current: int
) -> int:
    """Return the first minute from `index` on whose target is another than `current`."""
    if not len(values):
        while index < len(targets) and (targets[index] == UNCHANGED or targets[index] == current):
            index += 1
        return index
    while index < len(codes):
        target = values[codes[index]]
        if target != UNCHANGED and target != current:
            break
        index += 1
    return index


@inlined
def _is_resting(state: Record, guarded: bool) -> bool:
    """Return whether no minute before the next other target can change the account.

    The same as `_is_quiet` of every one of them.
    """
    if state.order_reason != Reason.NONE:
        return False
    if state.lots == 0:
        return True
    return not guarded and state.lots > 0 and state.target > 0 and state.cash > 0


@inlined
def _rest(
    state: Record,
    rules: Rules,
    minutes: Minutes,
    highs: Integers,
    lows: Integers,
    first: int,
    end: int,
    marks: Integers,
    days: Integers,
    carried: Integers,
    depth: float,
) -> float:
    """Pass over minutes in which nothing happens; return the deepest fall so far."""
    unit = state.lots * rules.cash_per_tick_lot
    mark = carried[MARK]
    while mark < len(marks) and marks[mark] < end:
        days[mark] = state.cash + unit * minutes.closes[marks[mark]]
        mark += 1
    carried[MARK] = mark
    begin_day(state, minutes.times[end - 1])
    state.last_tick = minutes.closes[end - 1]
    if unit == 0:
        # Worth the same in all of them.
        state.equity = state.cash
        state.peak = max(state.peak, state.equity)
        return _seen(state.cash, carried, depth)
    state.equity = state.cash + unit * state.last_tick
    return _held(state.cash, unit, minutes.closes, highs, lows, first, end, carried, depth)


@inlined
def _held(
    cash: int,
    unit: int,
    closes: Integers,
    highs: Integers,
    lows: Integers,
    first: int,
    end: int,
    carried: Integers,
    depth: float,
) -> float:
    """Pass over minutes with a position worth `unit` for each tick of the close."""
    index = first
    while index < end:
        block = index // BLOCK
        is_whole = index % BLOCK == 0 and index + BLOCK <= end
        if is_whole and cash + unit * highs[block] <= carried[BEST]:
            carried[LOW] = min(carried[LOW], cash + unit * lows[block])
            index += BLOCK
            continue
        stop = min(end, (block + 1) * BLOCK)
        for minute in range(index, stop):
            depth = _seen(cash + unit * closes[minute], carried, depth)
        index = stop
    return depth


@inlined
def _seen(worth: int, carried: Integers, depth: float) -> float:
    """Take a worth into account; return the deepest fall that is over."""
    if worth < carried[BEST]:
        carried[LOW] = min(carried[LOW], worth)
        return depth
    depth = _fallen(carried, depth)
    carried[BEST] = carried[LOW] = worth
    return depth


@inlined
def _fallen(carried: Integers, depth: float) -> float:
    """Return the deepest fall, that from the best so far included."""
    if carried[LOW] < carried[BEST]:
        fall: float = 1.0 - carried[LOW] / carried[BEST]
        return max(depth, fall)
    return depth


@inlined
def _live(
    state: Record,
    rules: Rules,
    minutes: Minutes,
    index: int,
    target: int,
    events: Events,
    count: int,
) -> int:
    """Do both halves of one minute."""
    time_ms, traded = minutes.times[index], minutes.traded[index]
    if traded:
        count = open_minute(state, rules, time_ms, minutes.opens[index], events, count)
    return close_minute(
        state,
        rules,
        time_ms,
        traded,
        minutes.opens[index],
        minutes.highs[index],
        minutes.lows[index],
        minutes.closes[index],
        target,
        True,
        events,
        count,
    )
