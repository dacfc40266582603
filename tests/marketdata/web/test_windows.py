"""A window's columns, its gaps, and the figure and files made of it."""

from __future__ import annotations

import csv
import io
import itertools

import numpy as np
import orjson
import pytest

from marketdata.charts.choices import choices_text, parse_choices
from marketdata.charts.errors import BadChartRequest
from marketdata.charts.exports import export_window
from marketdata.charts.figures import bar_outline, build_figure, skeleton
from marketdata.charts.levels import Level
from marketdata.charts.panes import chart_panes
from marketdata.charts.sparklines import HEIGHT, WIDTH, sparkline_points
from marketdata.charts.windows import build_window
from marketdata.domain.indicators import INDICATORS, PRICE_PANE
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from tests.marketdata.web.conftest import START_MS, wandering_minutes

ALL = "sma:5,ema:5,bollinger:5:2,rsi:5,macd:3:6:4"


def window_of(candles, start_ms=START_MS, indicators=""):
    end_ms = int(candles["open_time_ms"][-1]) + MINUTE_MS
    return build_window(candles, Level(Timeframe.M1), start_ms, end_ms, parse_choices(indicators))


def with_hole(count=20, first=8, last=11):
    """Return minutes without those from `first` to `last`."""
    candles = wandering_minutes(count)
    return np.delete(candles, range(first, last + 1))


def test_candles_before_the_window_only_warm_it_up():
    window = window_of(wandering_minutes(30), START_MS + 10 * MINUTE_MS, "sma:5")
    assert window.columns["time"].tolist()[0] == START_MS + 10 * MINUTE_MS
    assert len(window.columns["close"]) == 20
    assert not np.isnan(window.columns["sma:5.sma"]).any()


def test_a_hole_is_a_gap_and_breaks_every_line():
    window = window_of(with_hole(), indicators=ALL)
    hole_ms = START_MS + 8 * MINUTE_MS
    assert window.gaps == ((hole_ms, START_MS + 12 * MINUTE_MS),)
    (row,) = np.flatnonzero(window.columns["time"] == hole_ms)
    for name, values in window.columns.items():
        assert len(values) == 17
        assert name == "time" or np.isnan(values[row])


def test_a_window_without_holes_has_no_gaps():
    assert window_of(wandering_minutes(20)).gaps == ()


def test_an_empty_window_has_empty_columns():
    window = build_window(
        wandering_minutes(0), Level(Timeframe.M1), 0, MINUTE_MS, parse_choices(ALL)
    )
    assert {len(values) for values in window.columns.values()} == {0}
    build_figure(window, parse_choices(ALL))


def test_candles_with_minutes_missing_are_named():
    candles = wandering_minutes(20)
    candles["minutes"][7] = 0
    assert window_of(candles).incomplete == (START_MS + 7 * MINUTE_MS,)


# ---------------------------------------------------------------------- choices


def test_what_is_left_out_of_a_choice_has_its_default():
    assert choices_text(parse_choices("rsi, macd:5")) == "rsi:14,macd:5:26:9"


def test_the_same_choice_twice_is_drawn_once():
    assert choices_text(parse_choices("sma:20,sma:20,sma")) == "sma:20"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("zigzag:3", "expected one of sma, ema"),
        ("rsi:0", "period"),
        ("rsi:14.5", "whole number"),
        ("rsi:nan", "period"),
        ("rsi:fast", "numbers"),
        ("rsi:14:3", "takes 1"),
        (",".join(f"sma:{period}" for period in range(2, 11)), "at most 8"),
    ],
)
def test_a_choice_that_cannot_be_drawn_is_refused_with_a_hint(text, hint):
    with pytest.raises(BadChartRequest, match=hint):
        parse_choices(text)


# ---------------------------------------------------------------------- figures


def test_each_indicator_with_a_scale_of_its_own_gets_a_pane_and_the_price_the_most_room():
    panes = chart_panes(parse_choices(ALL))
    assert [pane.key for pane in panes] == ["price", "volume", "rsi:5", "macd:3:6:4"]
    heights = [high - low for low, high in (pane.domain for pane in panes)]
    assert max(heights) == heights[0]
    for above, below in itertools.pairwise(panes):
        assert above.domain[0] > below.domain[1]
    assert panes[-1].domain[0] == pytest.approx(0, abs=1e-3)


def test_eight_panes_still_fit():
    panes = chart_panes(parse_choices(",".join(f"rsi:{period}" for period in range(5, 13))))
    assert len(panes) == 10
    assert panes[-1].domain[0] >= 0
    assert panes[0].domain[1] - panes[0].domain[0] >= 0.4


def test_the_figure_holds_the_candles_and_every_output():
    choices = parse_choices(ALL)
    window = window_of(wandering_minutes(40), indicators=ALL)
    figure = build_figure(window, choices)
    candles = figure.data[0]
    assert candles.type == "candlestick"
    assert np.array_equal(candles.close, window.columns["close"])
    drawn = {trace.meta["column"] for trace in figure.data if "column" in trace.meta}
    assert drawn == set(window.columns) - {"time", "open", "high", "low", "close"}


@pytest.mark.parametrize("key", INDICATORS)
def test_every_indicator_of_the_registry_is_drawn_over_the_price_or_in_a_pane(key):
    choices = parse_choices(key)
    window = window_of(wandering_minutes(60), indicators=key)
    figure = build_figure(window, choices)
    drawn = {trace.meta["column"] for trace in figure.data if "column" in trace.meta}
    assert drawn == {f"{choices[0].key}.{name}" for name in INDICATORS[key].outputs} | {"volume"}
    own = [] if INDICATORS[key].pane == PRICE_PANE else [choices[0].key]
    assert [pane.key for pane in chart_panes(choices)] == ["price", "volume", *own]


def test_gaps_are_shaded():
    (shape,) = build_figure(window_of(with_hole()), ()).layout.shapes
    assert (shape.x0, shape.x1) == (START_MS + 8 * MINUTE_MS, START_MS + 12 * MINUTE_MS)


def test_the_wire_carries_no_array_twice():
    spec = skeleton(
        build_figure(window_of(wandering_minutes(40), indicators=ALL), parse_choices(ALL))
    )
    assert len(orjson.dumps(spec)) < 10_000
    assert spec["layout"]["meta"]["panes"][2]["scale"] == (0.0, 100.0)


def test_bars_are_one_line_that_comes_back_to_zero():
    x, y = bar_outline(np.array([1000, 2000]), np.array([3.0, -4.0]), 100)
    assert x.tolist() == [964, 964, 1036, 1036, 1964, 1964, 2036, 2036]
    assert y.tolist() == [0, 3, 3, 0, 0, -4, -4, 0]


# ---------------------------------------------------------------------- sparklines


def test_a_sparkline_runs_from_edge_to_edge_with_its_highest_point_on_top():
    points = [
        tuple(map(float, pair.split(",")))
        for pair in sparkline_points(np.array([1.0, 3.0, 2.0])).split()
    ]
    assert points == [(2.0, HEIGHT - 2.0), (WIDTH / 2, 2.0), (WIDTH - 2.0, HEIGHT / 2)]


def test_a_price_that_never_moves_is_a_line_in_the_middle():
    assert {pair.split(",")[1] for pair in sparkline_points(np.full(5, 7.0)).split()} == {"16.0"}


def test_one_price_is_no_line():
    assert sparkline_points(np.array([1.0])) == ""


# ---------------------------------------------------------------------- files


def test_a_csv_file_gives_back_every_figure_to_the_last_digit():
    candles = with_hole()
    window = window_of(candles, indicators="ema:5")
    rows = list(csv.DictReader(io.StringIO(export_window(window, "csv").decode())))
    prices = ["open_time_ms", "open", "high", "low", "close", "volume"]
    assert list(rows[0]) == [*prices, "closed", "ema:5.ema"]
    assert {row["closed"] for row in rows} == {"1"}
    assert [int(row["open_time_ms"]) for row in rows] == candles["open_time_ms"].tolist()
    for name in ("open", "high", "low", "close", "volume"):
        assert [float(row[name]) for row in rows] == candles[name].tolist()
    assert rows[0]["ema:5.ema"] == ""


def test_a_json_file_is_columnar_without_the_rows_of_gaps():
    candles = with_hole()
    content = orjson.loads(export_window(window_of(candles, indicators="sma:5"), "json"))
    assert content["open_time_ms"] == candles["open_time_ms"].tolist()
    assert content["close"] == candles["close"].tolist()
    assert content["sma:5.sma"][:4] == [None] * 4
