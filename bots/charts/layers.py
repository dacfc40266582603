"""Fills, signals and stops of a bot over the candles of its instrument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from bots.domain.trips import RoundTrip

Mark = tuple[int, float, str, str]
"""Time (ms), price, side and what it says."""
Rules = tuple[datetime, Mapping[str, Any]]
"""When a run began, and its settings of trading."""

_PPM: Final = 1_000_000
_STOPS: Final = (("stop_loss", "Stop-loss", -1), ("take_profit", "Take-profit", 1))
MOST_LINES: Final = 60


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


def _rules_at(time: datetime, rules: Sequence[Rules]) -> Mapping[str, Any]:
    """Return the settings of trading of the run that `time` lies in."""
    begun = [trading for start, trading in rules if start <= time]
    return begun[-1] if begun else {}


def _ms(time: datetime) -> int:
    return int(time.astimezone(UTC).timestamp() * 1000)
