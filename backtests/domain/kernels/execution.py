"""The execution kernel: what a backtest and a paper bot both do with every minute.

A minute has two halves. The opening half is called when the first trade of the minute is known:
stops that were jumped over and waiting orders fill at the open. The closing half is called when
the minute has closed: stops and targets inside its range fill, the account is marked, limits are
judged, and a new target of the strategy becomes an order for the next open. A backtest is both
halves folded over a year; a bot is both halves of the next minute.

All numbers are whole: ticks, lots, cash units, millionths, milliseconds (see `records`). Each
function takes the events written so far and returns how many there are after it; a minute writes
at most `ROOM` of them.
"""

from __future__ import annotations

from typing import Final

from backtests.domain.kernels.entries import blocked_by, execute
from backtests.domain.kernels.fills import leave, note, order
from backtests.domain.kernels.limits import begin_day, judge
from backtests.domain.kernels.stops import is_guarded, touch, trail
from backtests.domain.records import (
    UNCHANGED,
    Command,
    Events,
    Integers,
    Kind,
    Minutes,
    Reason,
    Record,
    Rules,
    States,
)
from marketdata.domain.compiling import compiled, inlined

ROOM: Final = 12
"""Events a minute may write at most, commands not counted."""


@inlined
def open_minute(
    state: Record, rules: Rules, time_ms: int, tick: int, events: Events, count: int
) -> int:
    """Do the opening half of a minute that traded: `tick` is the price of its first trade."""
    if state.lots != 0:
        count = touch(state, rules, time_ms, tick, tick, tick, events, count)
    if state.order_reason == Reason.NONE:
        return count
    is_late = time_ms - state.order_ms > rules.timeframe_ms
    if is_late and state.order_reason == Reason.TARGET:
        count = note(state, events, count, time_ms, Kind.CANCELLED, Reason.NO_TRADE)
    else:
        count = execute(state, rules, time_ms, tick, events, count)
    state.order_reason = Reason.NONE
    return count


@inlined
def close_minute(
    state: Record,
    rules: Rules,
    time_ms: int,
    traded: bool,
    open_tick: int,
    high: int,
    low: int,
    close: int,
    target: int,
    may_enter: bool,
    events: Events,
    count: int,
) -> int:
    """Do the closing half of the minute that opened at `time_ms` and `traded` if it had volume.

    `target` is UNCHANGED unless a candle of the strategy closed with this minute. Without
    `may_enter` a decision opens or enlarges nothing: it came too late.
    """
    close_ms = time_ms + 60_000
    if traded and state.lots != 0:
        count = touch(state, rules, time_ms, open_tick, high, low, events, count)
    begin_day(state, time_ms)
    _mark(state, rules, close)
    if state.lots != 0:
        if traded and rules.trailing_stop > 0:
            trail(state, rules, high, low)
        held_ms = close_ms - state.entry_ms
        if 0 < rules.time_stop_ms <= held_ms and state.order_reason == Reason.NONE:
            order(state, 0, close_ms, Reason.TIME_STOP)
    count = judge(state, rules, close_ms, events, count)
    if target != UNCHANGED:
        count = _decide(state, rules, close_ms, target, may_enter, events, count)
    return count


@compiled
def obey(
    state: Record, rules: Rules, time_ms: int, command: int, tick: int, events: Events, count: int
) -> int:
    """Carry out a command given in the minute of `time_ms`, between its two halves.

    A position is closed at `tick`, the last trade, with slippage; with a tick of 0 at the next
    open. What the strategy asked for before is not entered again.
    """
    if command == Command.PAUSE:
        state.is_paused = 1
        return count
    if command == Command.RESUME:
        state.is_paused = 0
        return count
    if state.order_reason != Reason.NONE:
        count = note(state, events, count, time_ms, Kind.CANCELLED, Reason.COMMAND)
        state.order_reason = Reason.NONE
    if command != Command.FLATTEN:
        state.is_halted = 1
        count = note(state, events, count, time_ms, Kind.HALTED, Reason.COMMAND)
    if state.lots != 0:
        if tick > 0:
            state.order_ms = time_ms
            count = leave(state, rules, time_ms, tick, Reason.COMMAND, events, count)
        else:
            order(state, 0, time_ms, Reason.COMMAND)
    return count


@compiled
def walk(
    state: States,
    rules: Rules,
    minutes: Minutes,
    start: int,
    equity: Integers,
    events: Events,
    count: int,
) -> tuple[int, int]:
    """Fold both halves over minutes from index `start` on; fill `equity` (cash units) beside them.

    Returns the next index and the number of events. It stops early when fewer than ROOM events
    are free: call it again from that index with more room.
    """
    one, told = state[0], events[0]
    guarded = is_guarded(rules)
    capacity = len(events) - ROOM
    times, traded, opens, highs, lows, closes, targets = minutes
    index = start
    while index < len(equity):
        close = closes[index]
        if _is_quiet(one, rules, guarded, targets[index], close):
            begin_day(one, times[index])
            _mark(one, rules, close)
        elif count > capacity:
            break
        else:
            prices = (opens[index], highs[index], lows[index], close)
            is_traded = traded[index]
            count = both_halves(
                one, rules, times[index], is_traded, prices, targets[index], told, count
            )
        equity[index] = one.equity
        index += 1
    return index, count


@inlined
def _is_quiet(state: Record, rules: Rules, guarded: bool, target: int, close: int) -> bool:
    """Return whether the minute only marks the account, whatever its prices are.

    True without a position and an order, and with a long position that nothing but a new target
    can end.
    """
    if state.order_reason != Reason.NONE or (target not in (UNCHANGED, state.target)):
        return False
    if state.lots == 0:
        return True
    is_kept = target == UNCHANGED or target > 0
    return is_kept and not guarded and state.cash + state.lots * close * rules.cash_per_tick_lot > 0


@inlined
def both_halves(
    state: Record,
    rules: Rules,
    time_ms: int,
    traded: bool,
    prices: tuple[int, int, int, int],
    target: int,
    events: Events,
    count: int,
) -> int:
    """Do both halves of one minute; `prices` are its open, high, low and close."""
    opened, high, low, close = prices
    if traded:
        count = open_minute(state, rules, time_ms, opened, events, count)
    return close_minute(
        state, rules, time_ms, traded, opened, high, low, close, target, True, events, count
    )


@inlined
def _mark(state: Record, rules: Rules, close: int) -> None:
    state.last_tick = close
    state.equity = state.cash + state.lots * close * rules.cash_per_tick_lot
    state.peak = max(state.peak, state.equity)


@inlined
def _decide(
    state: Record,
    rules: Rules,
    close_ms: int,
    target: int,
    may_enter: bool,
    events: Events,
    count: int,
) -> int:
    """Make an order of a target that changed, or of a position that should be closed by now."""
    is_new = target != state.target
    state.target = target
    if target < 0 and not rules.is_short_allowed:
        if is_new:
            count = note(state, events, count, close_ms, Kind.SKIPPED, Reason.NO_SHORT)
        target = 0
    is_opposed = state.lots != 0 and (target == 0 or (target > 0) != (state.lots > 0))
    # What a limit or a person ordered goes first, and leaves nothing to enter for.
    is_free = state.order_reason == Reason.NONE or state.order_reason == Reason.TARGET
    if is_new and is_free:
        return _replace(state, close_ms, target, may_enter, is_opposed, events, count)
    if is_opposed and state.order_reason == Reason.NONE:
        order(state, 0, close_ms, Reason.TARGET)
    return count


@inlined
def _replace(
    state: Record,
    close_ms: int,
    target: int,
    may_enter: bool,
    is_opposed: bool,
    events: Events,
    count: int,
) -> int:
    """Put an order for a new target in the place of the one that may still wait."""
    if state.order_reason == Reason.TARGET:
        count = note(state, events, count, close_ms, Kind.CANCELLED, Reason.TARGET)
        state.order_reason = Reason.NONE
    if target != 0:
        blocked = blocked_by(state, close_ms)
        if blocked == Reason.NONE and not may_enter:
            blocked = Reason.STALE
        if blocked == Reason.NONE:
            order(state, target, close_ms, Reason.TARGET)
            return count
        count = note(state, events, count, close_ms, Kind.SKIPPED, blocked)
    if is_opposed:
        order(state, 0, close_ms, Reason.TARGET)
    return count
