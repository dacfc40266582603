"""Filling waiting orders at an open."""

from __future__ import annotations

from backtests.domain.kernels.fills import fill, leave, note
from backtests.domain.kernels.orders import (
    liquidation_tick,
    lowered,
    raised,
    share_up,
    slipped,
    wanted_lots,
)
from backtests.domain.kernels.stops import set_trail
from backtests.domain.records import Events, Kind, Reason, Record, Rules
from marketdata.domain.compiling import compiled, inlined


@inlined
def execute(
    state: Record, rules: Rules, time_ms: int, tick: int, events: Events, count: int
) -> int:
    """Fill the waiting order at the open."""
    target, reason = state.order, state.order_reason
    if state.lots != 0 and (target == 0 or (target > 0) != (state.lots > 0)):
        count = leave(state, rules, time_ms, tick, reason, events, count)
    if target == 0:
        return count
    is_long = target > 0
    enlarged = wanted_lots(state, rules, target, slipped(tick, rules.slippage, is_long))
    if enlarged > abs(state.lots):
        blocked = blocked_by(state, time_ms)
        if blocked != Reason.NONE:
            return note(state, events, count, time_ms, Kind.SKIPPED, blocked)
        return _enlarge(state, rules, time_ms, tick, enlarged, events, count)
    reduced = wanted_lots(state, rules, target, slipped(tick, rules.slippage, not is_long))
    lots = abs(state.lots) - reduced
    if state.lots == 0 or lots < rules.minimum_lots:
        return note(state, events, count, time_ms, Kind.SKIPPED, Reason.BELOW_MINIMUM)
    price = slipped(tick, rules.slippage, not is_long)
    signed = -lots if is_long else lots
    count = fill(state, rules, time_ms, signed, price, tick, rules.taker, reason, events, count)
    if rules.is_margined:
        # A smaller position is lost further away.
        state.liquidation = liquidation_tick(state.cash, state.lots, rules)
    return count


@inlined
def _enlarge(
    state: Record, rules: Rules, time_ms: int, tick: int, wanted: int, events: Events, count: int
) -> int:
    is_long = state.order > 0
    price = slipped(tick, rules.slippage, is_long)
    lots = wanted - abs(state.lots)
    if not rules.is_margined:
        unit = price * rules.cash_per_tick_lot
        while lots > 0 and lots * unit + share_up(lots * unit, rules.taker) > state.cash:
            lots -= 1
    if lots < rules.minimum_lots:
        return note(state, events, count, time_ms, Kind.SKIPPED, Reason.BELOW_MINIMUM)
    signed = lots if is_long else -lots
    reason = state.order_reason
    count = fill(state, rules, time_ms, signed, price, tick, rules.taker, reason, events, count)
    _protect(state, rules, price)
    return count


@compiled
def _protect(state: Record, rules: Rules, price: int) -> None:
    """Set the levels of a position that was opened or enlarged, from its average price."""
    entry = state.entry_tick
    is_long = state.lots > 0
    if rules.stop_loss > 0:
        state.stop = lowered(entry, rules.stop_loss) if is_long else raised(entry, rules.stop_loss)
    if rules.take_profit > 0:
        share = rules.take_profit
        state.goal = raised(entry, share) if is_long else lowered(entry, share)
    if rules.trailing_stop > 0:
        if state.best == 0:
            state.best = price
        set_trail(state, rules)
    if rules.is_margined:
        state.liquidation = liquidation_tick(state.cash, state.lots, rules)


@compiled
def blocked_by(state: Record, time_ms: int) -> int:
    """Return why nothing may be entered now."""
    if state.is_halted:
        return Reason.HALTED
    if state.is_day_blocked:
        return Reason.DAILY_LOSS
    if state.is_paused:
        return Reason.PAUSED
    if time_ms < state.cooldown_until_ms:
        return Reason.COOLDOWN
    return Reason.NONE
