"""From fills to round trips: flat, in the market, flat again."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backtests.domain.records import Events, Kind

ROUND_TRIP: Final = np.dtype(
    [
        ("entry_ms", "<i8"),
        ("exit_ms", "<i8"),  # of the last fill; of a trip still open too
        ("side", "<i8"),  # 1 long, -1 short
        ("lots", "<i8"),  # bought (or sold short) in all
        ("entry_tick", "<f8"),  # average
        ("exit_tick", "<f8"),  # average; NaN while nothing was given back
        ("profit", "<i8"),  # cash units after fees; of closed trips only, else 0
        ("paid", "<i8"),  # cash units: worth of the position at its entry prices
        ("received", "<i8"),  # cash units: worth of what was given back, at its exit prices
        ("fees", "<i8"),  # cash units
        ("slippage", "<i8"),  # cash units
        ("reason", "<i8"),  # Reason of the last fill
        ("fills", "<i8"),
        ("is_closed", "?"),
    ]
)

RoundTrips = NDArray[np.void]


def fills_of(events: Events) -> Events:
    """Return the fills among events."""
    is_fill = events["kind"] == Kind.FILL
    return events if is_fill.all() else events[is_fill]


def round_trips(events: Events, cash_per_tick_lot: int) -> RoundTrips:
    """Return the round trips of a run's events, in order; the last one may still be open."""
    fills = fills_of(events)
    if not len(fills):
        return np.zeros(0, ROUND_TRIP)
    before = np.concatenate(([0], fills["position"][:-1]))
    starts = np.flatnonzero(before == 0)
    ends = np.append(starts[1:], len(fills)) - 1
    return _filled(fills, starts, ends, cash_per_tick_lot)


def _filled(fills: Events, starts: Any, ends: Any, unit: int) -> RoundTrips:
    # A column at a time: to copy whole records takes as long as all the rest.
    lots, ticks, cash, fees = (fills[name].copy() for name in ("lots", "tick", "cash", "fee"))
    side, counts = np.sign(lots[starts]), ends - starts + 1
    size, is_in = np.abs(lots), np.sign(lots) == np.repeat(side, counts)
    value = size * ticks
    into, paid = _sum(size * is_in, starts), _sum(value * is_in, starts)
    left, got = _sum(size, starts) - into, _sum(value, starts) - paid
    cash_before = cash[starts] + lots[starts] * ticks[starts] * unit + fees[starts]
    trips = np.zeros(len(starts), ROUND_TRIP)
    trips["entry_ms"], trips["exit_ms"] = fills["time_ms"][starts], fills["time_ms"][ends]
    trips["side"], trips["lots"] = side, into
    trips["paid"], trips["received"] = paid * unit, got * unit
    trips["entry_tick"] = paid / into
    trips["exit_tick"] = np.divide(got, left, out=np.full(len(starts), np.nan), where=left > 0)
    trips["is_closed"] = is_closed = fills["position"][ends] == 0
    trips["profit"] = np.where(is_closed, cash[ends] - cash_before, 0)
    trips["fees"], trips["slippage"] = _sum(fees, starts), _sum(fills["slippage"], starts)
    trips["reason"], trips["fills"] = fills["reason"][ends], counts
    return trips


def _sum(values: Any, starts: Any) -> Any:
    return np.add.reduceat(values, starts)
