"""Candles with the indicators as the strategy saw them, as a figure for the chart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import plotly.graph_objects as go

from backtests.domain.records import Integers
from marketdata.charts.figures import bar_traces, figure_of, line_colours, line_trace
from marketdata.charts.panes import OwnPane, stacked_panes
from marketdata.charts.windows import ChartWindow
from marketdata.domain.indicators import PRICE_PANE
from marketdata.domain.series import Floats

_PREFIX: Final = "strategy."
_HISTOGRAM: Final = "histogram"
_MOST_PANES: Final = 3
_SAME_SIZE: Final = 10.0
_NEAR_PRICE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Seen:
    """The indicators of a run, each beside the `close_times` and `closes` of its candles.

    `panes` names the pane of those that the strategy placed; see `BaseStrategy.get_panes`. `note`
    says why they are not there, or may not be what the run saw; empty when they are.
    """

    close_times: Integers
    closes: Floats
    indicators: Mapping[str, Floats]
    panes: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """Where indicators are drawn: over the price, or together in panes of their own."""

    overlays: tuple[str, ...]
    panes: tuple[tuple[str, ...], ...]


def place_indicators(seen: Seen) -> Places:
    """Return which indicators lie over the price and which share a pane, as the strategy says.

    What it says nothing of is judged by its values. One that is the price itself is left out.
    """
    overlays, told, judged = [], dict[str, list[str]](), list[tuple[float, list[str]]]()
    for name, values in seen.indicators.items():
        known = ~np.isnan(values)
        if not known.any() or np.array_equal(values[known], seen.closes[known]):
            continue
        pane = seen.panes.get(name)
        if pane is None and _is_near(values[known], seen.closes[known]):
            pane = PRICE_PANE
        if pane == PRICE_PANE:
            overlays.append(name)
        elif pane is None:
            _join(judged, name, float(np.quantile(np.abs(values[known]), 0.95)))
        else:
            # With too many panes the rest is put to the last.
            key = pane if pane in told or len(told) < _MOST_PANES else next(reversed(told))
            told.setdefault(key, []).append(name)
    panes = [*told.values(), *(names for _, names in judged)]
    return Places(tuple(overlays), tuple(map(tuple, panes)))


def _is_near(values: Floats, closes: Floats) -> bool:
    """Return whether values may be prices."""
    return float(np.median(np.abs(values / closes - 1.0))) < _NEAR_PRICE


def with_indicators(window: ChartWindow, seen: Seen, places: Places) -> ChartWindow:
    """Return a window with a column for each placed indicator: the last value in each candle."""
    times = window.columns["time"]
    ends = times + window.level.ms
    rows = np.searchsorted(seen.close_times, ends, side="right") - 1
    is_known = (rows >= 0) & ~np.isnan(window.columns["close"])
    is_known[is_known] = seen.close_times[rows[is_known]] > times[is_known]
    columns = dict(window.columns)
    for name in (*places.overlays, *(name for names in places.panes for name in names)):
        column = np.full(len(times), np.nan)
        column[is_known] = seen.indicators[name][rows[is_known]]
        columns[_PREFIX + name] = column
    return replace(window, columns=columns)


def price_figure(window: ChartWindow, seen: Seen, places: Places) -> go.Figure:
    """Return the figure of a window that `with_indicators` made."""
    panes = stacked_panes(
        tuple(_PREFIX + name for name in places.overlays),
        tuple(_own_pane(names, seen) for names in places.panes),
    )
    colours = line_colours()
    lines = [
        line_trace(window, _PREFIX + name, "y", _title(name), next(colours))
        for name in places.overlays
    ]
    for pane, names in zip(panes[2:], places.panes, strict=True):
        for name in names:
            if name == _HISTOGRAM:
                lines += bar_traces(window, _PREFIX + name, pane.axis, _title(name))
            else:
                title = _title(name)
                lines.append(line_trace(window, _PREFIX + name, pane.axis, title, next(colours)))
    return figure_of(window, panes, lines)


def _own_pane(names: tuple[str, ...], seen: Seen) -> OwnPane:
    low = min(float(np.nanmin(seen.indicators[name])) for name in names)
    high = max(float(np.nanmax(seen.indicators[name])) for name in names)
    return OwnPane(
        key=" ".join(names),
        title=", ".join(map(_title, names)),
        columns=tuple(_PREFIX + name for name in names),
        guides=(0.0,) if low < 0 < high else (),
    )


def _join(groups: list[tuple[float, list[str]]], name: str, size: float) -> None:
    """Put a name to others of about its size; with too many groups to the last."""
    for other, names in groups:
        if other / _SAME_SIZE <= size <= other * _SAME_SIZE:
            names.append(name)
            return
    if len(groups) == _MOST_PANES:
        groups[-1][1].append(name)
    else:
        groups.append((size, [name]))


def _title(name: str) -> str:
    return name.replace("_", " ")
