"""Marking days and judging the account against its limits."""

from __future__ import annotations

from typing import Final

from backtests.domain.kernels.fills import note, order_out
from backtests.domain.kernels.orders import share_up
from backtests.domain.records import Events, Kind, Reason, Record, Rules
from marketdata.domain.compiling import compiled, inlined

DAY_MS: Final = 86_400_000


@compiled
def begin_day(state: Record, time_ms: int) -> None:
    day = time_ms // DAY_MS
    if day != state.day:
        state.day = day
        state.day_equity = state.equity
        state.is_day_blocked = 0


@inlined
def judge(state: Record, rules: Rules, close_ms: int, events: Events, count: int) -> int:
    """Halt or block the run where its equity is beyond a limit."""
    equity = state.equity
    if state.is_halted:
        return count
    lost = state.peak - equity
    reason = Reason.NONE
    if equity <= 0:
        reason = Reason.LIQUIDATION
    elif rules.max_drawdown > 0 and lost > 0 and lost >= share_up(state.peak, rules.max_drawdown):
        reason = Reason.MAX_DRAWDOWN
    if reason != Reason.NONE:
        state.is_halted = 1
        order_out(state, close_ms, reason)
        return note(state, events, count, close_ms, Kind.HALTED, reason)
    lost = state.day_equity - equity
    is_limited = rules.max_daily_loss > 0 and lost > 0 and not state.is_day_blocked
    if is_limited and lost >= share_up(state.day_equity, rules.max_daily_loss):
        state.is_day_blocked = 1
        order_out(state, close_ms, Reason.DAILY_LOSS)
        return note(state, events, count, close_ms, Kind.BLOCKED, Reason.DAILY_LOSS)
    return count
