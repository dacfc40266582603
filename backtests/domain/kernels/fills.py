"""Booking fills and noting what orders came to."""

from __future__ import annotations

from backtests.domain.kernels.orders import share_up, slipped
from backtests.domain.kernels.places import behind
from backtests.domain.records import Events, Kind, Reason, Record, Rules
from marketdata.domain.compiling import compiled, inlined


@inlined
def fill(
    state: Record,
    rules: Rules,
    time_ms: int,
    lots: int,
    tick: int,
    quoted: int,
    fee_share: int,
    reason: int,
    events: Events,
    count: int,
) -> int:
    """Book a fill of `lots` (negative when sold) at `tick`, where `quoted` was the market's."""
    before = state.lots
    size = abs(lots)
    if before == 0:
        state.entry_cash, state.entry_ms, state.entry_tick = state.cash, time_ms, tick
    elif (before > 0) == (lots > 0):
        part = size / (abs(before) + size)
        state.entry_tick += round((tick - state.entry_tick) * part)
    fee = share_up(size * tick * rules.cash_per_tick_lot, fee_share)
    slip = abs(tick - quoted) * size * rules.cash_per_tick_lot
    state.cash -= lots * tick * rules.cash_per_tick_lot + fee
    state.lots = before + lots
    state.fees += fee
    state.slippage += slip
    count = note(state, events, count, time_ms, Kind.FILL, reason)
    event = behind(events, count - 1)
    event.lots, event.tick, event.fee, event.slippage = lots, tick, fee, slip
    if state.lots == 0:
        _end_trip(state, rules, time_ms)
    return count


@compiled
def _end_trip(state: Record, rules: Rules, time_ms: int) -> None:
    if rules.cooldown_ms > 0 and state.cash < state.entry_cash:
        state.cooldown_until_ms = time_ms + rules.cooldown_ms
    state.equity = state.cash
    state.stop = state.trail = state.goal = state.best = state.liquidation = 0
    state.entry_tick = 0


@inlined
def leave(
    state: Record, rules: Rules, time_ms: int, tick: int, reason: int, events: Events, count: int
) -> int:
    """Close the whole position at `tick`: a target as a maker, anything else as a taker."""
    lots = -state.lots
    if reason == Reason.TAKE_PROFIT:
        return fill(state, rules, time_ms, lots, tick, tick, rules.maker, reason, events, count)
    price = slipped(tick, rules.slippage, lots > 0)
    return fill(state, rules, time_ms, lots, price, tick, rules.taker, reason, events, count)


@inlined
def order(state: Record, target: int, close_ms: int, reason: int) -> None:
    state.order = target
    state.order_ms = close_ms
    state.order_reason = reason


@compiled
def order_out(state: Record, close_ms: int, reason: int) -> None:
    """Close the position at the next open, or drop the order that would open one."""
    if state.lots != 0:
        order(state, 0, close_ms, reason)
    else:
        state.order_reason = Reason.NONE


@inlined
def note(state: Record, events: Events, count: int, time_ms: int, kind: int, reason: int) -> int:
    event = behind(events, count)
    event.time_ms, event.decided_ms = time_ms, state.order_ms
    event.kind, event.reason = kind, reason
    event.lots = event.tick = event.fee = event.slippage = 0
    event.cash, event.position = state.cash, state.lots
    return count + 1
