"""The Chart page and the windows it fetches, on stored candles."""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import orjson
import pytest
from django.core.management import call_command

from marketdata.charts.choices import parse_choices
from marketdata.charts.levels import MAX_POINTS, Level
from marketdata.charts.windows import build_window
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.publishing import candles_topic
from marketdata.storage import read_candles, write_candles
from tcpdashboard.common.realtime import shared_publisher
from tests.marketdata.web.conftest import START_MS, make_instrument, wandering_minutes

DAYS = 3
END_MS = START_MS + DAYS * DAY_MS
ALL = "sma:20,ema:20,bollinger:20:2,rsi:14,macd:12:26:9"
CHART = "/chart/okx-sim/BTC-USDT/"


@pytest.fixture
def history(btc):
    """Three days of minutes."""
    write_candles(btc, wandering_minutes(DAYS * 1440), reason="test")
    return btc


def window(client, timeframe="1m", **query):
    answer = client.get(f"{CHART}{timeframe}/window", {"start": START_MS, "end": END_MS, **query})
    return answer.status_code, orjson.loads(answer.content)


# ---------------------------------------------------------------------- windows


def test_a_window_that_fits_comes_as_stored(reader, history):
    end_ms = START_MS + 500 * MINUTE_MS
    status, answer = window(reader, end=end_ms)
    assert (status, answer["timeframe"], answer["is_auto"]) == (200, "1m", False)
    stored = read_candles(history, Timeframe.M1, START_MS, end_ms)
    assert answer["columns"]["time"] == stored["open_time_ms"].tolist()
    for name in ("open", "high", "low", "close", "volume"):
        assert answer["columns"][name] == stored[name].tolist()


def test_a_window_with_too_many_candles_comes_in_longer_ones(reader, history):
    _, answer = window(reader)
    assert (answer["timeframe"], answer["stored"], answer["is_auto"]) == ("15m", "15m", True)
    assert len(answer["columns"]["time"]) == DAYS * 96 <= MAX_POINTS


def test_fewer_points_make_longer_candles(reader, history):
    _, answer = window(reader, points=20)
    assert answer["timeframe"] == "4h"


def test_a_window_never_comes_finer_than_was_asked_for(reader, history):
    _, answer = window(reader, "1h", end=START_MS + 7_200_000)
    assert answer["timeframe"] == "1h"


def test_years_of_history_come_in_bins_of_days(reader, btc):
    write_candles(btc, wandering_minutes(5 * 1440), reason="test")
    start_ms = START_MS - 1000 * DAY_MS
    _, answer = window(reader, start=start_ms, end=START_MS + 5 * DAY_MS)
    assert (answer["timeframe"], answer["stored"]) == ("2d", "1d")
    assert answer["step_ms"] == 2 * DAY_MS
    days = read_candles(btc, Timeframe.D1, START_MS, START_MS + 5 * DAY_MS)
    assert answer["columns"]["close"][-1] == days["close"][-1]
    assert max(answer["columns"]["high"]) == days["high"].max()
    assert sum(answer["columns"]["volume"]) == pytest.approx(days["volume"].sum())


@pytest.mark.parametrize("timeframe", ["1m", "5m"])
def test_indicators_in_a_window_equal_those_over_the_whole_history(reader, history, timeframe):
    start_ms, end_ms = START_MS + 2 * DAY_MS, START_MS + 2 * DAY_MS + 240 * MINUTE_MS
    _, answer = window(reader, timeframe, start=start_ms, end=end_ms, indicators=ALL)
    level = Level(Timeframe(timeframe))
    everything = read_candles(history, level.timeframe, 0, END_MS)
    whole = build_window(everything, level, START_MS, END_MS, parse_choices(ALL))
    rows = (whole.columns["time"] >= start_ms) & (whole.columns["time"] < end_ms)
    compared = 0
    for name, values in whole.columns.items():
        shown = np.array(answer["columns"][name], dtype=float)
        assert not np.isnan(shown).any()
        np.testing.assert_allclose(shown, values[rows], rtol=1e-7, atol=1e-7)
        compared += name.count(".")
    assert compared == 9


def test_a_hole_in_the_warm_up_is_reached_across(reader, btc):
    minutes = wandering_minutes(3 * 1440)
    kept = np.delete(minutes, range(1000, 2800))
    write_candles(btc, kept, reason="test")
    start_ms = START_MS + 2900 * MINUTE_MS
    _, answer = window(reader, start=start_ms, end=start_ms + 60 * MINUTE_MS, indicators="ema:50")
    whole = build_window(kept, Level(Timeframe.M1), START_MS, END_MS, parse_choices("ema:50"))
    rows = (whole.columns["time"] >= start_ms) & (whole.columns["time"] < start_ms + 60 * MINUTE_MS)
    np.testing.assert_allclose(
        answer["columns"]["ema:50.ema"], whole.columns["ema:50.ema"][rows], rtol=1e-7
    )


def test_at_the_beginning_of_history_an_indicator_has_no_value_yet(reader, history):
    _, answer = window(reader, end=START_MS + 30 * MINUTE_MS, indicators="sma:20")
    assert answer["columns"]["sma:20.sma"][:20][-2:] == [None, pytest.approx(59_940, abs=200)]


def test_missing_minutes_are_gaps_and_unfinished_candles_are_named(reader, btc):
    minutes = wandering_minutes(1440)
    write_candles(btc, np.delete(minutes, range(100, 130)), reason="test")
    _, fine = window(reader, end=START_MS + 300 * MINUTE_MS)
    assert fine["gaps"] == [[START_MS + 100 * MINUTE_MS, START_MS + 130 * MINUTE_MS]]
    assert fine["columns"]["close"][100] is None
    _, coarse = window(reader, "1h", end=START_MS + DAY_MS)
    assert coarse["gaps"] == []
    assert coarse["incomplete"] == [START_MS + 3_600_000, START_MS + 7_200_000]


def test_a_window_without_candles_is_empty(reader, btc):
    status, answer = window(reader, indicators=ALL)
    assert status == 200
    assert answer["columns"]["time"] == []


# ---------------------------------------------------------------------- caching


def test_an_unchanged_window_is_not_sent_again(reader, history):
    address = f"{CHART}1m/window?start={START_MS}&end={START_MS + DAY_MS // 4}&indicators=rsi:14"
    first = reader.get(address)
    again = reader.get(address, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "no-cache" in first["Cache-Control"]


def test_a_changed_candle_changes_the_windows_that_show_it(reader, history):
    address = f"{CHART}1m/window?start={START_MS}&end={START_MS + DAY_MS // 4}"
    tag = reader.get(address)["ETag"]
    changed = wandering_minutes(1)
    changed["high"] += 5
    write_candles(history, changed, reason="test")
    again = reader.get(address, headers={"If-None-Match": tag})
    assert again.status_code == 200
    assert orjson.loads(again.content)["columns"]["high"][0] == changed["high"][0]


# ---------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("timeframe", "query", "hint"),
    [
        ("1m", {"start": "yesterday"}, "start must be a whole number"),
        ("1m", {"start": "-5"}, "start must be a whole number"),
        ("1m", {"end": ""}, "end must be a whole number"),
        ("1m", {"end": "99999999999999999"}, "end must be a whole number"),
        ("1m", {"end": "9" * 5_000}, "end must be a whole number"),
        ("1m", {"end": START_MS}, "start must come before end"),
        ("1m", {"points": "801"}, "points must be a whole number from 10 to 800"),
        ("1m", {"indicators": "zigzag"}, "expected one of sma"),
        ("7m", {}, "expected one of 1m, 5m"),
    ],
)
def test_a_request_that_makes_no_sense_is_answered_with_a_sentence(
    reader, btc, timeframe, query, hint
):
    status, answer = window(reader, timeframe, **query)
    assert status == 400
    assert hint in answer["error"]


def test_a_missing_parameter_is_named(reader, btc):
    answer = reader.get(f"{CHART}1m/window")
    assert (answer.status_code, answer.json()) == (400, {"error": "the parameter start is missing"})


def test_an_unknown_instrument_is_named(reader, db):
    status, answer = window(reader)
    assert (status, answer["error"]) == (404, "no instrument 'BTC-USDT' is known on 'okx-sim'")


@pytest.mark.parametrize("what", ["", "window", "figure", "export"])
def test_strangers_are_sent_to_the_log_in_page(client, btc, what):
    answer = client.get(f"{CHART}1m/{what}", {"start": START_MS, "end": END_MS})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/?next=")


# ---------------------------------------------------------------------- files


@pytest.mark.parametrize("file_format", ["csv", "json"])
def test_a_file_holds_what_is_shown(reader, history, file_format):
    query = {"start": START_MS, "end": END_MS, "points": 800, "indicators": "sma:20"}
    answer = reader.get(f"{CHART}1m/export", {**query, "format": file_format})
    name = f"okx-sim-BTC-USDT-15m.{file_format}"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    if file_format == "csv":
        columns = next(iter(csv.reader(io.StringIO(answer.content.decode()))))
    else:
        columns = list(answer.json())
    prices = ["open_time_ms", "open", "high", "low", "close", "volume"]
    assert columns == [*prices, "closed", "sma:20.sma"]


def forming(timeframe, open_ms, *, closed=0):
    candle = [open_ms, 61_000.5, 61_001.0, 60_999.0, 61_000.0, 0.25, closed]
    topic = candles_topic("okx-sim", "BTC-USDT", Timeframe(timeframe))
    shared_publisher().publish(topic, {"candle": candle, "exchange_ms": open_ms})


def exported(client, **query):
    query = {"start": END_MS - 3_600_000, "end": END_MS + 900_000, "points": 20, **query}
    answer = client.get(f"{CHART}15m/export", {"indicators": "sma:20", **query})
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def test_a_file_marks_the_candle_that_is_still_forming(reader, history, queues):
    forming("15m", END_MS)
    *stored, last = exported(reader)
    assert [row["closed"] for row in stored] == ["1"] * 4
    assert stored[-1]["open_time_ms"] == str(END_MS - 900_000)
    assert last == {
        "open_time_ms": str(END_MS),
        "open": "61000.5",
        "high": "61001",
        "low": "60999",
        "close": "61000",
        "volume": "0.25",
        "closed": "0",
        "sma:20.sma": "",
    }
    answer = reader.get(
        f"{CHART}15m/export",
        {"start": END_MS - 900_000, "end": END_MS + 900_000, "points": 10, "format": "json"},
    ).json()
    assert answer["closed"] == [1, 0]
    assert answer["open_time_ms"] == [END_MS - 900_000, END_MS]


@pytest.mark.parametrize("query", [{"end": END_MS}, {"start": 0, "end": END_MS + 900_000}])
def test_a_candle_that_is_not_shown_is_not_in_the_file(reader, history, queues, query):
    forming("15m", END_MS)
    assert {row["closed"] for row in exported(reader, **query)} == {"1"}


def test_a_candle_that_has_closed_is_in_the_file_once_it_is_stored(reader, history, queues):
    forming("15m", END_MS, closed=1)
    assert len(exported(reader)) == 4
    forming("15m", END_MS - 900_000)
    assert len(exported(reader)) == 4


def test_a_file_comes_without_the_forming_candle_while_redis_is_away(reader, history, settings):
    shared_publisher.cache_clear()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    try:
        assert len(exported(reader)) == 4
    finally:
        shared_publisher.cache_clear()


def test_an_import_leaves_the_forming_candle_out(reader, history, queues, tmp_path):
    forming("1m", END_MS)
    query = {"start": END_MS - 600_000, "end": END_MS + 60_000, "points": 20}
    answer = reader.get(f"{CHART}1m/export", query)
    assert answer.content.decode().splitlines()[-1].startswith(f"{END_MS},61000.5,")
    file = tmp_path / "candles.csv"
    file.write_bytes(answer.content)
    copy = make_instrument("COPY-USDT")
    call_command(
        "import_candles", str(file), exchange="okx-sim", symbol="COPY-USDT", timeframe="1m"
    )
    copied = read_candles(copy, Timeframe.M1, 0, END_MS + DAY_MS)
    assert copied["open_time_ms"].tolist() == list(range(END_MS - 600_000, END_MS, MINUTE_MS))


def test_an_exported_file_can_be_imported_again(reader, history, tmp_path):
    answer = reader.get(f"{CHART}1m/export", {"start": START_MS, "end": END_MS, "format": "csv"})
    file = tmp_path / "candles.csv"
    file.write_bytes(answer.content)
    copy = make_instrument("COPY-USDT")
    call_command(
        "import_candles", str(file), exchange="okx-sim", symbol="COPY-USDT", timeframe="1m"
    )
    original = read_candles(history, Timeframe.H1, START_MS, END_MS)
    copied = read_candles(copy, Timeframe.H1, START_MS, END_MS)
    for name in ("open_time_ms", "open", "high", "low", "close", "volume"):
        assert np.array_equal(copied[name], original[name])


def test_an_unknown_format_is_refused(reader, btc):
    answer = reader.get(f"{CHART}1m/export", {"start": 1, "end": 2, "format": "xlsx"})
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        "expected the format csv or json; was 'xlsx'",
    )


def test_a_file_that_would_be_too_long_is_refused(reader, btc):
    answer = reader.get(f"{CHART}1m/export", {"start": 0, "end": END_MS})
    assert answer.status_code == 400
    assert "at most 200,000 candles" in answer.json()["error"]


# ---------------------------------------------------------------------- the page


def settings_of(answer):
    block = re.search(
        rb'<script id="chart-settings" type="application/json">(.*?)</script>', answer.content
    )
    return orjson.loads(block[1])


def test_the_page_carries_its_first_figure_and_window(reader, history):
    chart = settings_of(reader.get(f"{CHART}5m/"))
    assert chart["figure"]["data"][0]["type"] == "candlestick"
    assert [pane["key"] for pane in chart["figure"]["layout"]["meta"]["panes"]] == [
        "price",
        "volume",
        "rsi:14",
        "macd:12:26:9",
    ]
    assert chart["window"]["timeframe"] == "5m"
    assert chart["window"]["columns"]["time"][-1] == END_MS - Timeframe.M5.ms
    assert chart["stored"] == [START_MS, END_MS]
    assert chart["view"] is None


def test_the_address_decides_the_view_and_the_indicators(reader, history):
    start_ms, end_ms = START_MS + DAY_MS, START_MS + DAY_MS + 3_600_000
    query = {"start": start_ms, "end": end_ms, "indicators": "sma:7"}
    chart = settings_of(reader.get(f"{CHART}1m/", query))
    assert chart["view"] == [start_ms, end_ms]
    assert chart["indicators"] == "sma:7"
    assert chart["window"]["start_ms"] == start_ms - 1_800_000
    assert chart["window"]["end_ms"] == end_ms + 1_800_000


def test_indicators_are_remembered_and_the_address_goes_first(reader, history):
    reader.cookies["tcpd_indicators"] = "ema%3A9%2Csma%3A5"
    assert settings_of(reader.get(f"{CHART}1m/"))["indicators"] == "ema:9,sma:5"
    assert settings_of(reader.get(f"{CHART}1m/?indicators=sma:7"))["indicators"] == "sma:7"
    assert settings_of(reader.get(f"{CHART}1m/?indicators="))["indicators"] == ""


def test_a_remembered_choice_that_no_longer_makes_sense_is_forgotten(reader, history):
    reader.cookies["tcpd_indicators"] = "zigzag:3"
    assert settings_of(reader.get(f"{CHART}1m/"))["indicators"].startswith("ema:20")


def test_a_new_set_of_indicators_comes_with_its_figure(reader, history):
    answer = reader.get(
        f"{CHART}15m/figure", {"start": START_MS, "end": END_MS, "indicators": "rsi:7"}
    ).json()
    panes = answer["figure"]["layout"]["meta"]["panes"]
    assert [pane["key"] for pane in panes] == ["price", "volume", "rsi:7"]
    assert len(answer["window"]["columns"]["rsi:7.rsi"]) == DAYS * 96


def test_without_candles_the_page_says_what_will_happen(reader, btc):
    answer = reader.get(f"{CHART}15m/")
    assert "The history of BTC-USDT is on its way" in answer.content.decode()


def test_of_an_instrument_that_is_not_collected_the_page_says_what_to_do(reader, staff, db):
    make_instrument("BTC-USDT")
    assert "Ask someone who administers" in reader.get(f"{CHART}15m/").content.decode()
    assert "press Collect" in staff.get(f"{CHART}15m/").content.decode()


@pytest.mark.parametrize("address", ["/chart/okx-sim/NONE/1m/", "/chart/okx-sim/BTC-USDT/2m/"])
def test_a_chart_that_does_not_exist_is_not_found(reader, btc, address):
    assert reader.get(address).status_code == 404


def test_chart_goes_to_the_one_seen_last(reader, history):
    make_instrument("AAA-USDT", is_enabled=True)
    reader.get(f"{CHART}4h/")
    assert reader.get("/chart/")["Location"] == f"{CHART}4h/"


def test_chart_goes_to_the_first_that_is_collected(reader, btc, settings):
    settings.EXCHANGE = "okx-sim"
    make_instrument("AAA-USDT")
    assert reader.get("/chart/")["Location"] == f"{CHART}15m/"


def test_chart_without_any_instrument_leads_to_the_markets(reader, settings):
    settings.EXCHANGE = "okx-sim"
    answer = reader.get("/chart/", follow=True)
    assert answer.redirect_chain[-1][0] == "/markets/"
    assert "No instrument is collected yet" in answer.content.decode()
