"""A window as a Plotly figure.

The figure is complete as it is. For pages its arrays are taken out again (`skeleton`): the browser
puts the columns of a window back by each trace's `meta`, now and for every window that follows,
and takes the colours from the theme by their names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import cycle
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from marketdata.charts.choices import Choice
from marketdata.charts.panes import Pane, chart_panes
from marketdata.charts.windows import ChartWindow, column_name

# By name, as in the style sheet.
_COLOURS: Final = {
    "up": "#35b58a",
    "down": "#e4626b",
    "warn": "#d9a441",
    "line-1": "#6ba4f8",
    "line-2": "#dca84c",
    "line-3": "#b48cf2",
    "line-4": "#52bfc6",
    "line-5": "#e088b8",
    "line-6": "#9db36a",
}
_LINES: Final = 6
# Indicators whose lines belong together.
_ONE_COLOUR: Final = frozenset({"bollinger", "donchian"})
_HISTOGRAM: Final = "histogram"
# Half of a bar, as a share of the candle's length.
_HALF_BAR: Final = 0.36
_ARRAYS: Final = ("x", "y", "open", "high", "low", "close")

_Arrays = tuple[NDArray[np.int64], NDArray[np.float64]]


def build_figure(window: ChartWindow, choices: tuple[Choice, ...]) -> go.Figure:
    """Return the figure of `window`: candles, volume, overlays and one pane per own indicator."""
    panes = chart_panes(choices)
    axes = {pane.key: pane.axis for pane in panes}
    traces: list[go.Scatter] = []
    colours = line_colours()
    for choice in choices:
        traces += _indicator(window, choice, axes.get(choice.key, "y"), colours)
    return figure_of(window, panes, traces)


def figure_of(window: ChartWindow, panes: tuple[Pane, ...], lines: list[go.Scatter]) -> go.Figure:
    """Return the figure of candles and volume with `lines` over them, in `panes`."""
    volume = bar_traces(window, "volume", panes[1].axis, "Volume")
    traces = [_candles(window), *volume, *lines, _marks(window)]
    return go.Figure(traces, _layout(window, panes))


def line_colours() -> Iterator[str]:
    """Yield the names of the colours of lines, over and over."""
    return cycle(f"line-{number}" for number in range(1, _LINES + 1))


def skeleton(figure: go.Figure) -> dict[str, Any]:
    """Return the figure for the wire, without the arrays that come with the window's columns."""
    spec: dict[str, Any] = figure.to_plotly_json()
    for trace in spec["data"]:
        for name in _ARRAYS:
            trace.pop(name, None)
    spec["layout"].pop("shapes", None)
    return spec


def bar_outline(times: NDArray[np.int64], heights: NDArray[np.float64], step_ms: int) -> _Arrays:
    """Return bars as one line along the zero line: one SVG node instead of two for each bar."""
    half = int(step_ms * _HALF_BAR)
    x = np.repeat(times, 4) + np.tile([-half, -half, half, half], len(times))
    y = np.repeat(heights, 4) * np.tile([0.0, 1.0, 1.0, 0.0], len(heights))
    return x, y


def _candles(window: ChartWindow) -> go.Candlestick:
    columns = window.columns
    return go.Candlestick(
        x=columns["time"],
        open=columns["open"],
        high=columns["high"],
        low=columns["low"],
        close=columns["close"],
        name="Price",
        increasing={"line": {"width": 1, "color": _COLOURS["up"]}, "fillcolor": _COLOURS["up"]},
        decreasing={"line": {"width": 1, "color": _COLOURS["down"]}, "fillcolor": _COLOURS["down"]},
        whiskerwidth=0,
        hoverinfo="skip",
        meta={"kind": "candles"},
    )


def bar_traces(window: ChartWindow, column: str, axis: str, title: str) -> list[go.Scatter]:
    """Draw a column as bars: volume in the candle's colour, others by their sign."""
    values = window.columns[column]
    rising = window.columns["close"] >= window.columns["open"] if column == "volume" else values > 0
    return [
        _bar_trace(window, column, axis, title, "up", rising),
        _bar_trace(window, column, axis, title, "down", ~rising),
    ]


def _bar_trace(
    window: ChartWindow,
    column: str,
    axis: str,
    title: str,
    colour: str,
    chosen: NDArray[np.bool_],
) -> go.Scatter:
    chosen = chosen & ~np.isnan(window.columns[column])
    x, y = bar_outline(
        window.columns["time"][chosen], window.columns[column][chosen], window.level.ms
    )
    return go.Scatter(
        x=x,
        y=y,
        yaxis=axis,
        name=title,
        mode="lines",
        line={"width": 0, "simplify": False, "color": _COLOURS[colour]},
        fill="tozeroy",
        fillcolor=_COLOURS[colour],
        hoverinfo="skip",
        meta={"kind": "bars", "column": column, "colour": colour},
    )


def _indicator(
    window: ChartWindow, choice: Choice, axis: str, colours: Iterator[str]
) -> list[go.Scatter]:
    traces: list[go.Scatter] = []
    colour = next(colours)
    for number, output in enumerate(choice.indicator.outputs):
        column = column_name(choice, output)
        if output == _HISTOGRAM:
            traces += bar_traces(window, column, axis, choice.title)
            continue
        if number and choice.indicator.key not in _ONE_COLOUR:
            colour = next(colours)
        traces.append(line_trace(window, column, axis, choice.title, colour))
    return traces


def line_trace(window: ChartWindow, column: str, axis: str, title: str, colour: str) -> go.Scatter:
    """Draw a column as a line in the colour of this name."""
    return go.Scatter(
        x=window.columns["time"],
        y=window.columns[column],
        yaxis=axis,
        name=title,
        mode="lines",
        line={"width": 1.25, "color": _COLOURS[colour]},
        connectgaps=False,
        hoverinfo="skip",
        meta={"kind": "line", "column": column, "colour": colour},
    )


def _marks(window: ChartWindow) -> go.Scatter:
    """Mark the candles in which minutes are missing, below their lows."""
    times = window.columns["time"]
    chosen = np.isin(times, window.incomplete) & ~np.isnan(window.columns["low"])
    return go.Scatter(
        x=times[chosen],
        y=window.columns["low"][chosen],
        name="Minutes missing",
        mode="markers",
        marker={"symbol": "triangle-up-open", "size": 7, "color": _COLOURS["warn"]},
        hoverinfo="skip",
        meta={"kind": "marks", "colour": "warn"},
    )


def _layout(window: ChartWindow, panes: tuple[Pane, ...]) -> dict[str, Any]:
    layout: dict[str, Any] = {
        "template": "none",
        "showlegend": False,
        "dragmode": "pan",
        "hovermode": False,
        "margin": {"l": 0, "r": 72, "t": 0, "b": 26},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "xaxis": _time_axis(window, panes[-1].axis),
        "shapes": [_gap_shape(start, end) for start, end in window.gaps],
        "meta": {"panes": [asdict(pane) for pane in panes]},
    }
    return layout | {_layout_name(pane.axis): _value_axis(pane) for pane in panes}


def _time_axis(window: ChartWindow, anchor: str) -> dict[str, Any]:
    return {
        "type": "date",
        "anchor": anchor,
        "range": [window.start_ms, window.end_ms],
        "rangeslider": {"visible": False},
        "showgrid": True,
        "zeroline": False,
        "ticks": "",
    }


def _value_axis(pane: Pane) -> dict[str, Any]:
    return {
        "domain": pane.domain,
        "side": "right",
        # The scale follows what is visible; dragging moves time alone.
        "fixedrange": True,
        "range": pane.scale,
        "zeroline": False,
        "showgrid": True,
        "nticks": 8 if pane.key == "price" else 3,
        "ticks": "",
    }


def _layout_name(axis: str) -> str:
    return f"yaxis{axis[1:]}"


def _gap_shape(start_ms: int, end_ms: int) -> dict[str, Any]:
    return {
        "type": "rect",
        "xref": "x",
        "yref": "paper",
        "x0": start_ms,
        "x1": end_ms,
        "y0": 0,
        "y1": 1,
        "line": {"width": 0},
        "fillcolor": "rgba(146,157,171,0.09)",
        "layer": "below",
    }
