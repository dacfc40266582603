"""Fills, signals and stops of a bot over the candles of its instrument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np

from backtests.domain.records import Integers
from backtests.domain.units import Units
from bots.domain.trailing import trailing_levels
from bots.domain.trips import RoundTrip
from marketdata.domain.timeframe import MINUTE_MS

Mark = tuple[int, float, str, str]
"""Time (ms), price, side and what it says."""
Rules = tuple[datetime, Mapping[str, Any]]
"""When a run began, and its settings of trading."""

_PPM: Final = 1_000_000
_STOPS: Final = (("stop_loss", "Stop-loss", -1), ("take_profit", "Take-profit", 1))
MOST_LINES: Final = 500


@dataclass(frozen=True, slots=True, eq=False)
class Minutes:
    """1m candles from `start_ms` on: open times (ms) and their extreme prices in ticks."""

    start_ms: int
    times: Integers
    high: Integers
    low: Integers


def fill_marks(fills: Iterable[Any]) -> list[Mark]:
    """Return a mark for each fill, on the side it traded."""
    return [
        (
            _ms(fill.time),
            float(fill.price),
            "buy" if fill.quantity > 0 else "sell",
            f"{'bought' if fill.quantity > 0 else 'sold'} "
            f"{abs(fill.quantity).normalize():f} at {fill.price.normalize():f}, "
            f"{fill.reason.replace('_', ' ')}",
        )
        for fill in fills
    ]


def signal_marks(signals: Iterable[Any]) -> list[Mark]:
    """Return a mark for each decision, at the close it was made by."""
    return [
        (
            # The candle that it was decided at had closed: the mark belongs to it.
            _ms(signal.time) - 1,
            float(signal.price),
            "signal",
            f"wants {signal.target / _PPM:g}{', missed' if signal.is_missed else ''}",
        )
        for signal in signals
    ]


def stop_lines(
    trips: Sequence[RoundTrip], rules: Sequence[Rules], start_ms: int, end_ms: int
) -> list[dict[str, Any]]:
    """Return the fixed stops of the newest round trips as lines from entry to exit.

    `rules` are those of the bot's runs, oldest first: a stop is set by the run of the entry. Each
    line is broken by None between trips.
    """
    lines = []
    for name, title, way in _STOPS:
        times: list[int | None] = []
        values: list[float | None] = []
        for trip in trips[-MOST_LINES:]:
            first, last = _ms(trip.entry), _ms(trip.exit) if trip.exit else end_ms
            share = _rules_at(trip.entry, rules).get(name)
            if share is None or last < start_ms or first >= end_ms:
                continue
            side = 1 if trip.side == "long" else -1
            level = float(trip.entry_price * (1 + side * way * Decimal(str(share))))
            times += [first, max(first, last), None]
            values += [level, level, None]
        if times:
            lines.append({"title": title, "time": times, "value": values})
    return lines


def trailed(
    trips: Sequence[RoundTrip], rules: Sequence[Rules], start_ms: int, end_ms: int
) -> list[RoundTrip]:
    """Return the newest of the trips that had a trailing stop and were open in a stretch."""
    shown = []
    for trip in trips[-MOST_LINES:]:
        first, last = _ms(trip.entry), _ms(trip.exit) if trip.exit else end_ms
        edits = [_ms(start) for start, _ in rules if trip.entry < start and _ms(start) < last]
        when = np.array([first, *edits], np.int64)
        if first < end_ms and last >= start_ms and _shares("trailing_stop", when, rules).any():
            shown.append(trip)
    return shown


def trail_lines(
    trips: Sequence[RoundTrip],
    rules: Sequence[Rules],
    units: Units,
    minutes: Minutes,
    end_ms: int,
) -> list[dict[str, Any]]:
    """Return how the trailing stops of round trips followed the price, in steps.

    A stop moves when a minute closes. Trips that began before `minutes` are left out.
    """
    times: list[int | None] = []
    values: list[float | None] = []
    for trip in trips:
        if _ms(trip.entry) < minutes.start_ms or _ms(trip.entry) >= end_ms:
            continue
        when, levels = _trail(trip, rules, units, minutes, end_ms)
        if levels.any():
            times += [*when.tolist(), None]
            values += [float(units.price(one)) if one else None for one in levels.tolist()] + [None]
    return [{"title": "Trailing stop", "time": times, "value": values}] if times else []


def _trail(
    trip: RoundTrip, rules: Sequence[Rules], units: Units, minutes: Minutes, end_ms: int
) -> tuple[Integers, Integers]:
    """Return when the stop of a trip moved, with its end, and where to in ticks; 0 without one."""
    first, last = _ms(trip.entry), _ms(trip.exit) if trip.exit else end_ms
    held = slice(
        np.searchsorted(minutes.times, first),
        np.searchsorted(minutes.times, last - MINUTE_MS, side="right"),
    )
    is_long = trip.side == "long"
    reached = minutes.high[held] if is_long else minutes.low[held]
    when = np.append(first, minutes.times[held] + MINUTE_MS)
    shares = _shares("trailing_stop", np.append(first, minutes.times[held]), rules)
    levels = trailing_levels(int(trip.first_price / units.tick), reached, shares, is_long=is_long)
    moved = np.append(True, np.diff(levels) != 0)
    return np.append(when[moved], max(first, last)), np.append(levels[moved], levels[-1])


def _shares(name: str, when: Integers, rules: Sequence[Rules]) -> Integers:
    """Return a setting as it was at each time, in millionths; 0 where it was off."""
    begun = np.array([_ms(start) for start, _ in rules], dtype=np.int64)
    found = [0, *(int(Decimal(str(trading.get(name) or 0)) * _PPM) for _, trading in rules)]
    return np.array(found, np.int64)[np.searchsorted(begun, when, side="right")]


def _rules_at(time: datetime, rules: Sequence[Rules]) -> Mapping[str, Any]:
    """Return the settings of trading of the run that `time` lies in."""
    begun = [trading for start, trading in rules if start <= time]
    return begun[-1] if begun else {}


def _ms(time: datetime) -> int:
    return int(time.astimezone(UTC).timestamp() * 1000)
