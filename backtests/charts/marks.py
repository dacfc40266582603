"""Fills as a layer over candles, and a line from every entry to its exit."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backtests.charts.numbers import money, utc
from backtests.domain.records import Events, Reason
from backtests.domain.roundtrips import RoundTrips
from backtests.domain.units import Units

MOST_MARKS: Final = 400
MOST_LINES: Final = 200


def fill_marks(fills: Events, units: Units, start_ms: int, end_ms: int) -> dict[str, list[Any]]:
    """Return the fills of [start_ms, end_ms) as columns: time, price, side and text.

    Beyond MOST_MARKS fills of one side that lie near each other share a mark, which says so.
    """
    first, end = np.searchsorted(fills["time_ms"], (start_ms, end_ms))
    within = fills[first:end]
    sides = [_side(within[within["lots"] > 0], units, "buy", start_ms, end_ms)]
    sides.append(_side(within[within["lots"] < 0], units, "sell", start_ms, end_ms))
    marks = sorted(mark for side in sides for mark in side)
    names = ("time", "price", "side", "text")
    return {name: [mark[place] for mark in marks] for place, name in enumerate(names)}


def trip_lines(trips: RoundTrips, units: Units, start_ms: int, end_ms: int) -> list[dict[str, Any]]:
    """Return lines from entry to exit of the trips that touch the stretch: one of gains, one of
    losses, each broken by None between trips; none where there are too many to see."""
    closed = trips[trips["is_closed"]]
    seen = closed[(closed["exit_ms"] >= start_ms) & (closed["entry_ms"] < end_ms)]
    if not 0 < len(seen) <= MOST_LINES:
        return []
    gained = seen["profit"] > 0
    return [
        line
        for title, colour, some in (
            ("Gains", "up", seen[gained]),
            ("Losses", "down", seen[~gained]),
        )
        if (line := _line(some, units, title, colour))["time"]
    ]


def _side(
    fills: Events, units: Units, side: str, start_ms: int, end_ms: int
) -> list[tuple[int, float, str, str]]:
    most = MOST_MARKS // 2
    if len(fills) <= most:
        return [_mark(fill, units, side) for fill in fills]
    parts = (fills["time_ms"] - start_ms) * most // max(end_ms - start_ms, 1)
    starts = np.flatnonzero(np.diff(parts, prepend=parts[0] - 1))
    ends = np.append(starts[1:], len(fills))
    return [
        _cluster(fills[first:end], units, side) for first, end in zip(starts, ends, strict=True)
    ]


def _mark(fill: Any, units: Units, side: str) -> tuple[int, float, str, str]:
    quantity = f"{units.quantity(abs(int(fill['lots']))).normalize():f}"
    price = f"{units.price(int(fill['tick'])):f}"
    reason = Reason(fill["reason"]).name.lower().replace("_", " ")
    text = f"{side} {quantity} at {price}, {reason}, {utc(int(fill['time_ms']))}"
    return int(fill["time_ms"]), float(units.price(int(fill["tick"]))), side, text


def _cluster(fills: Events, units: Units, side: str) -> tuple[int, float, str, str]:
    if len(fills) == 1:
        return _mark(fills[0], units, side)
    sizes: NDArray[np.int64] = np.abs(fills["lots"])
    price = float(np.average(fills["tick"], weights=sizes)) * float(units.tick)
    text = f"{len(fills)} times {side}, {money(price)} on average; zoom in to see each"
    return int(fills["time_ms"][0]), price, side, text


def _line(trips: RoundTrips, units: Units, title: str, colour: str) -> dict[str, Any]:
    tick = float(units.tick)
    times: list[int | None] = []
    values: list[float | None] = []
    for trip in trips:
        times += [int(trip["entry_ms"]), int(trip["exit_ms"]), None]
        values += [float(trip["entry_tick"]) * tick, float(trip["exit_tick"]) * tick, None]
    return {"title": title, "time": times, "value": values, "colour": colour, "shape": "linear"}
