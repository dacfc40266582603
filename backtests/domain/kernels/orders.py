"""Arithmetic of orders: prices and fees against the trader, and how much may be bought.

Compiled, on whole numbers; see `records` for the units.
"""

from __future__ import annotations

from backtests.domain.records import PPM, Record, Rules, Sizing
from marketdata.domain.compiling import compiled


@compiled
def share_up(value: int, share: int) -> int:
    """Return `share` millionths of a value that is not negative, rounded up.

    In two parts: the product itself may not fit into 64 bits.
    """
    whole = value // PPM
    return whole * share + ((value - whole * PPM) * share + PPM - 1) // PPM


@compiled
def share_down(value: int, share: int) -> int:
    """Return `share` millionths of a value that is not negative, rounded down."""
    whole = value // PPM
    return whole * share + (value - whole * PPM) * share // PPM


@compiled
def slipped(tick: int, share: int, is_buy: bool) -> int:
    """Return the price that is `share` worse for the trader, on the tick that is worse too."""
    if is_buy:
        return tick + share_up(tick, share)
    return max(1, tick - share_up(tick, share))


@compiled
def raised(tick: int, share: int) -> int:
    """Return the first tick at least `share` above `tick`."""
    return tick + share_up(tick, share)


@compiled
def lowered(tick: int, share: int) -> int:
    """Return the first tick at least `share` below `tick`, 1 at least."""
    return max(1, tick - share_up(tick, share))


@compiled
def cost_of(lots: int, unit: int, fee: int) -> int:
    """Return what `lots` worth `unit` each cost with the fee on top."""
    value = lots * unit
    return value + share_up(value, fee)


@compiled
def affordable(budget: int, unit: int, fee: int) -> int:
    """Return the most lots of worth `unit` that cost no more than `budget`, fee included."""
    if budget <= 0:
        return 0
    # A first guess in floats and its corrections; the last steps make the answer exact.
    worth = unit * (1.0 + fee / PPM)
    lots = int(budget / worth)
    for _ in range(8):
        step = int((budget - cost_of(lots, unit, fee)) / worth)
        if step == 0:
            break
        lots += step
    while lots > 0 and cost_of(lots, unit, fee) > budget:
        lots -= 1
    while cost_of(lots + 1, unit, fee) <= budget:
        lots += 1
    return lots


@compiled
def wanted_lots(state: Record, rules: Rules, target: int, tick: int) -> int:
    """Return the size of the position that `target` means at a fill price of `tick`, unsigned."""
    unit = tick * rules.cash_per_tick_lot
    equity = state.cash + state.lots * unit
    if equity <= 0:
        return 0
    part = min(abs(target), PPM)
    limit = share_down(equity, min(rules.max_exposure, PPM))
    if rules.sizing == Sizing.FRACTION:
        return affordable(
            min(limit, share_down(share_down(equity, rules.size), part)), unit, rules.taker
        )
    if rules.sizing == Sizing.QUOTE:
        return affordable(min(limit, share_down(rules.size, part)), unit, rules.taker)
    risk = share_down(share_down(equity, rules.size), part)
    return min(risk // lot_loss(rules, target, tick), affordable(limit, unit, rules.taker))


@compiled
def lot_loss(rules: Rules, target: int, tick: int) -> int:
    """Return what one lot loses when its stop-loss fills as set: with both fees and slippage."""
    unit = rules.cash_per_tick_lot
    if target > 0:
        out = slipped(lowered(tick, rules.stop_loss), rules.slippage, False)
        loss = (tick - out) * unit
    else:
        out = slipped(raised(tick, rules.stop_loss), rules.slippage, True)
        loss = (out - tick) * unit
    return max(1, loss + share_up(tick * unit, rules.taker) + share_up(out * unit, rules.taker))


@compiled
def liquidation_tick(cash: int, lots: int, rules: Rules) -> int:
    """Return the price at which buying a short position back takes all of the cash; 0 for none."""
    if lots >= 0:
        return 0
    # value x (1 + slippage) x (1 + fee) = cash, a little early rather than late
    worth = (
        -lots * rules.cash_per_tick_lot * (1.0 + rules.slippage / PPM) * (1.0 + rules.taker / PPM)
    )
    return max(1, int(cash / worth))
