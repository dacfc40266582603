"""A histogram as the bars of an inline picture, in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backtests.charts.numbers import percent
from backtests.domain.distribution import Bin

WIDTH: Final = 440
HEIGHT: Final = 180
_FLOOR: Final = 24
_GAP: Final = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its place, its colour's name, and what it says."""

    x: float
    y: float
    width: float
    height: float
    tone: str
    label: str
    text: str

    @property
    def middle(self) -> float:
        """Where its label stands."""
        return round(self.x + self.width / 2, 2)


@dataclass(frozen=True, slots=True)
class Picture:
    """Bars, and the numbers below the axis."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    width: int = WIDTH
    height: int = HEIGHT
    floor: int = HEIGHT - _FLOOR


def picture(bins: list[Bin]) -> Picture | None:
    """Return the picture of a histogram of shares; None for no bins."""
    if not bins:
        return None
    wide = WIDTH / len(bins)
    most = max(each.count for each in bins)
    floor = HEIGHT - _FLOOR
    bars = tuple(
        Bar(
            x=round(place * wide + _GAP / 2, 2),
            y=round(floor - each.count / most * (floor - 16), 2),
            width=round(wide - _GAP, 2),
            height=round(each.count / most * (floor - 16), 2),
            tone="up" if each.low >= 0 else "down",
            label=str(each.count) if each.count and wide > 22 else "",
            text=f"{each.count} from {percent(each.low)} to {percent(each.high)}",
        )
        for place, each in enumerate(bins)
    )
    return Picture(bars, _ticks(bins, wide))


def _ticks(bins: list[Bin], wide: float) -> tuple[tuple[float, str], ...]:
    every = max(1, round(70 / wide))
    edges = [each.low for each in bins] + [bins[-1].high]
    # Numbers stand at zero and every so many edges from it.
    at_zero = min(range(len(edges)), key=lambda place: abs(edges[place]))
    return tuple(
        (round(place * wide, 2), percent(edge))
        for place, edge in enumerate(edges)
        if (place - at_zero) % every == 0
    )
