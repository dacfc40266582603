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
    first, last = fills[starts], fills[ends]
    side, counts = np.sign(first["lots"]), ends - starts + 1
    size = np.abs(fills["lots"])
    into = np.where(np.sign(fills["lots"]) == np.repeat(side, counts), size, 0)
    value = size * fills["tick"]
    worth = np.where(into > 0, value, 0)
    lots, paid = _sum(into, starts), _sum(worth, starts)
    left, got = _sum(size, starts) - lots, _sum(value, starts) - paid
    cash_before = first["cash"] + first["lots"] * first["tick"] * unit + first["fee"]
    trips = np.zeros(len(starts), ROUND_TRIP)
    trips["entry_ms"], trips["exit_ms"] = first["time_ms"], last["time_ms"]
    trips["side"], trips["lots"] = side, lots
    trips["paid"], trips["received"] = paid * unit, got * unit
    trips["entry_tick"] = paid / lots
    trips["exit_tick"] = np.divide(got, left, out=np.full(len(starts), np.nan), where=left > 0)
    trips["is_closed"] = is_closed = last["position"] == 0
    trips["profit"] = np.where(is_closed, last["cash"] - cash_before, 0)
    trips["fees"], trips["slippage"] = _sum(fills["fee"], starts), _sum(fills["slippage"], starts)
    trips["reason"], trips["fills"] = last["reason"], counts
    return trips


def _sum(values: Any, starts: Any) -> Any:
    return np.add.reduceat(values, starts)
