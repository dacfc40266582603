"""Stops, targets and what follows from reaching them."""

from __future__ import annotations

from backtests.domain.kernels.fills import leave, note
from backtests.domain.kernels.orders import lowered, raised
from backtests.domain.records import Events, Kind, Reason, Record, Rules
from marketdata.domain.compiling import compiled


@compiled
def touch(
    state: Record,
    rules: Rules,
    time_ms: int,
    open_tick: int,
    high: int,
    low: int,
    events: Events,
    count: int,
) -> int:
    """Fill the stop or the target that the prices reached; the stop counts as first.

    With the open for all three prices it fills at the open what was jumped over.
    """
    was_long = state.lots > 0
    level = _stop_level(state)
    if level > 0 and ((was_long and low <= level) or (not was_long and high >= level)):
        # A level that the entry's own slippage put beyond the open fills at the open.
        tick = min(level, open_tick) if was_long else max(level, open_tick)
        reason = _stop_reason(state)
    elif state.goal > 0 and (
        (was_long and high >= state.goal) or (not was_long and low <= state.goal)
    ):
        tick = max(state.goal, open_tick) if was_long else min(state.goal, open_tick)
        reason = Reason.TAKE_PROFIT
    else:
        return count
    count = leave(state, rules, time_ms, tick, reason, events, count)
    return _drop_answered(state, was_long, time_ms, events, count)


@compiled
def _drop_answered(state: Record, was_long: bool, time_ms: int, events: Events, count: int) -> int:
    """Drop a waiting order that only concerned the position just closed."""
    if state.order_reason == Reason.NONE:
        return count
    if (was_long and state.order < 0) or (not was_long and state.order > 0):
        return count
    state.order_reason = Reason.NONE
    return note(state, events, count, time_ms, Kind.CANCELLED, Reason.STOPPED_BEFORE)


@compiled
def _stop_level(state: Record) -> int:
    """Return the nearest of the stops, 0 when there is none."""
    if state.lots > 0:
        return max(state.stop, state.trail)  # type: ignore[no-any-return]
    level = 0
    for one in (state.stop, state.trail, state.liquidation):
        if one > 0 and (level == 0 or one < level):
            level = one
    return level


@compiled
def _stop_reason(state: Record) -> int:
    level = _stop_level(state)
    if level == state.stop:
        return Reason.STOP_LOSS
    if level == state.trail:
        return Reason.TRAILING_STOP
    return Reason.LIQUIDATION


@compiled
def trail(state: Record, rules: Rules, high: int, low: int) -> None:
    """Let the trailing stop follow the best price of the minute that closed.

    One that was switched on after the entry begins with that minute.
    """
    if state.lots > 0:
        state.best = max(state.best, high)
    else:
        state.best = low if state.best == 0 else min(state.best, low)
    set_trail(state, rules)


@compiled
def set_trail(state: Record, rules: Rules) -> None:
    share = rules.trailing_stop
    state.trail = lowered(state.best, share) if state.lots > 0 else raised(state.best, share)


@compiled
def is_guarded(rules: Rules) -> bool:
    """Return whether anything but a target may end a position."""
    return (
        rules.is_margined
        or rules.stop_loss > 0
        or rules.take_profit > 0
        or rules.trailing_stop > 0
        or rules.time_stop_ms > 0
        or rules.max_drawdown > 0
        or rules.max_daily_loss > 0
    )
