"""A run of which only figures are wanted: the same minutes, without looking at the quiet ones.

Nothing but a new target, an order or a guarded position can change the account. So between two
targets that differ the kernel is called for the few minutes that matter, and what the account is
worth in the others follows from their closes. Events and figures have the bits of `walk`.
"""

from __future__ import annotations

from typing import Any, Final

from backtests.domain.kernels.execution import ROOM, both_halves
from backtests.domain.kernels.limits import begin_day
from backtests.domain.kernels.places import behind
from backtests.domain.kernels.stops import is_guarded
from backtests.domain.records import UNCHANGED, Events, Integers, Reason, Record, Rules, States
from marketdata.domain.compiling import compiled, inlined

BLOCK: Final = 64
"""Minutes whose highest and lowest close are known together."""

Columns = tuple[Any, Any, Any, Any, Any]
"""Arrays of VALUE: closes of all minutes; the highest and the lowest of each block, see
`blocks_of`; indices of the minutes whose equity is wanted, in order; room for that."""

Course = tuple[Record, Record, Record]
"""The references of the first three's first records."""

Fall = tuple[int, int, float]
"""The best worth so far, the lowest since, and the deepest fall before, as a share."""


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
    state: States, rules: Rules, minutes: Events, wanted: Events, columns: Columns, events: Events
) -> tuple[int, float]:
    """Fold all minutes; return the number of events and the deepest fall below the best equity.

    `minutes` is an array of MINUTE, `wanted` one of CHANGE: the target of the first minute, and of
    each that has another than the one before. -1 events: there was not enough room for them, and
    it has to begin anew with more.
    """
    one, guarded = state[0], is_guarded(rules)
    course = (columns[0][0], columns[1][0], columns[2][0])
    marks, days = columns[3], columns[4]
    length, changes, capacity = len(minutes), len(wanted), len(events) - ROOM
    fall = (one.equity, one.equity, 0.0)
    count, index, place, mark = 0, 0, 0, 0
    while index < length:
        while place + 1 < changes and behind(wanted[0], place + 1).index <= index:
            place += 1
        end = _end_of_rest(one, guarded, wanted[0], place, changes, index, length)
        if index < end:
            unit = one.lots * rules.cash_per_tick_lot
            _rest(one, unit, behind(minutes[0], end - 1))
            fall = _held(one.cash, unit, course, index, end, fall)
            index = end
        else:
            if count > capacity:
                return -1, 0.0
            target = behind(wanted[0], place).target
            count = _live(one, rules, behind(minutes[0], index), target, events[0], count)
            fall = _seen(one.equity, fall)
            index += 1
        while mark < len(marks) and marks[mark].value < index:
            at = behind(course[0], marks[mark].value)
            days[mark].value = one.cash + one.lots * rules.cash_per_tick_lot * at.value
            mark += 1
    return count, _deepest(fall)


@inlined
def _live(
    state: Record, rules: Rules, minute: Record, target: int, events: Events, count: int
) -> int:
    """Do both halves of one minute."""
    prices = (minute.open, minute.high, minute.low, minute.close)
    traded = minute.traded != 0
    return both_halves(state, rules, minute.time_ms, traded, prices, target, events, count)


@inlined
def _end_of_rest(
    state: Record, guarded: bool, wanted: Record, place: int, changes: int, index: int, length: int
) -> int:
    """Return the next minute that may change the account: `index` itself if that one may."""
    target = behind(wanted, place).target
    if not _is_resting(state, guarded) or (target not in (UNCHANGED, state.target)):
        return index
    for later in range(place + 1, changes):
        change = behind(wanted, later)
        if change.target not in (UNCHANGED, state.target):
            return change.index  # type: ignore[no-any-return]
    return length


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
def _rest(state: Record, unit: int, last: Record) -> None:
    """Pass to the last of some minutes in which nothing happens."""
    begin_day(state, last.time_ms)
    state.last_tick = last.close
    state.equity = state.cash + unit * last.close
    state.peak = max(state.peak, state.equity)


@inlined
def _held(cash: int, unit: int, course: Course, first: int, end: int, fall: Fall) -> Fall:
    """Pass over minutes with a position worth `unit` for each tick of the close."""
    if unit == 0:
        # Worth the same in all of them.
        return _seen(cash, fall)
    closes, highs, lows = course
    index = first
    while index < end:
        block = index // BLOCK
        is_whole = index % BLOCK == 0 and index + BLOCK <= end
        if is_whole and cash + unit * behind(highs, block).value <= fall[0]:
            fall = _seen(cash + unit * behind(lows, block).value, fall)
            index += BLOCK
            continue
        stop = min(end, (block + 1) * BLOCK)
        for minute in range(index, stop):
            fall = _seen(cash + unit * behind(closes, minute).value, fall)
        index = stop
    return fall


@inlined
def _seen(worth: int, fall: Fall) -> Fall:
    """Take a worth into account: the best so far, the lowest since, and the deepest fall before."""
    best, low, depth = fall
    if worth < best:
        return best, min(low, worth), depth
    return worth, worth, _deepest(fall)


@inlined
def _deepest(fall: Fall) -> float:
    """Return the deepest fall, that from the best so far included."""
    best, low, depth = fall
    if low < best:
        share: float = 1.0 - low / best
        return max(depth, share)
    return depth
