"""The panes of a chart, one above the other: price, volume, and one for each own indicator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from marketdata.charts.choices import Choice
from marketdata.charts.windows import column_name
from marketdata.domain.indicators import PRICE_PANE

_VOLUME_WEIGHT: Final = 0.11
_OWN_WEIGHT: Final = 0.155
_SPACE: Final = 0.022
# Own panes share what the price leaves them.
_LEAST_PRICE_WEIGHT: Final = 0.42

# Indicators with a scale of their own, and the levels people read them by.
_SCALES: Final[dict[str, tuple[float, float]]] = {
    "rsi": (0.0, 100.0),
    "stochastic": (0.0, 100.0),
}
_GUIDES: Final[dict[str, tuple[float, ...]]] = {
    "rsi": (30.0, 70.0),
    "stochastic": (20.0, 80.0),
    "macd": (0.0,),
    "roc": (0.0,),
    "adx": (25.0,),
}


@dataclass(frozen=True, slots=True)
class Pane:
    """One pane: its vertical axis, its place from 0 (bottom) to 1, and what is drawn in it.

    `scale` is fixed, or None for one that follows what is visible. `columns` are the columns that
    the scale must hold.
    """

    key: str
    title: str
    axis: str
    domain: tuple[float, float]
    columns: tuple[str, ...]
    scale: tuple[float, float] | None = None
    guides: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnPane:
    """What a pane below price and volume shows; `scale` and `guides` as of a Pane."""

    key: str
    title: str
    columns: tuple[str, ...]
    scale: tuple[float, float] | None = None
    guides: tuple[float, ...] = ()


def chart_panes(choices: tuple[Choice, ...]) -> tuple[Pane, ...]:
    """Return the panes from the top down: price, volume, then the own ones as chosen."""
    over = tuple(choice for choice in choices if choice.indicator.pane == PRICE_PANE)
    own = tuple(choice for choice in choices if choice.indicator.pane != PRICE_PANE)
    overlays = tuple(name for choice in over for name in _columns(choice))
    return stacked_panes(
        overlays,
        tuple(
            OwnPane(
                choice.key,
                choice.title,
                _columns(choice),
                _SCALES.get(choice.indicator.key),
                _GUIDES.get(choice.indicator.key, ()),
            )
            for choice in own
        ),
    )


def stacked_panes(overlays: tuple[str, ...], own: tuple[OwnPane, ...]) -> tuple[Pane, ...]:
    """Return the panes from the top down; the columns of `overlays` lie over the price."""
    domains = _domains(len(own))
    price = Pane("price", "", "y", domains[0], ("low", "high", *overlays))
    volume = Pane("volume", "Volume", "y2", domains[1], ("volume",))
    others = (
        Pane(
            pane.key,
            pane.title,
            f"y{number + 3}",
            domains[number + 2],
            pane.columns,
            pane.scale,
            pane.guides,
        )
        for number, pane in enumerate(own)
    )
    return price, volume, *others


def _columns(choice: Choice) -> tuple[str, ...]:
    return tuple(column_name(choice, output) for output in choice.indicator.outputs)


def _domains(own: int) -> list[tuple[float, float]]:
    """Return the places of price, volume and `own` further panes, from the top down."""
    usable = 1 - _SPACE * (own + 1)
    price = max(usable - _VOLUME_WEIGHT - _OWN_WEIGHT * own, _LEAST_PRICE_WEIGHT)
    scale = (usable - price) / (_VOLUME_WEIGHT + _OWN_WEIGHT * own)
    heights = [price, _VOLUME_WEIGHT * scale] + [_OWN_WEIGHT * scale] * own
    domains, top = [], 1.0
    for height in heights:
        domains.append((round(max(top - height, 0.0), 4), round(top, 4)))
        top -= height + _SPACE
    return domains
