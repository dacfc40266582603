"""Missing minutes and broken candles."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.domain.aggregation import flat_minutes
from marketdata.domain.errors import InvalidRecord
from marketdata.domain.quality import Fault, candle_faults, check_candles, missing_minutes
from marketdata.domain.records import empty_candles
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from tests.marketdata.domain.builders import at


def grid(first: str, last: str):
    return flat_minutes(at(first), at(last), 5.0)


def test_a_whole_stretch_misses_nothing():
    candles = grid("10:00:00", "10:09:00")

    assert missing_minutes(candles, at("10:00:00"), at("10:10:00")) == []


def test_holes_are_named_at_the_ends_and_in_between():
    candles = np.concatenate([grid("10:01:00", "10:02:00"), grid("10:05:00", "10:06:00")])

    assert missing_minutes(candles, at("10:00:00"), at("10:09:00")) == [
        (at("10:00:00"), at("10:01:00")),
        (at("10:03:00"), at("10:05:00")),
        (at("10:07:00"), at("10:09:00")),
    ]


def test_a_minute_with_trades_missing_is_missing():
    candles = grid("10:00:00", "10:02:00")
    candles["minutes"][1] = 0

    assert missing_minutes(candles, at("10:00:00"), at("10:03:00")) == [
        (at("10:01:00"), at("10:02:00"))
    ]


def test_only_whole_minutes_of_the_range_count():
    assert missing_minutes(empty_candles(), at("10:00:30"), at("10:02:30")) == [
        (at("10:01:00"), at("10:02:00"))
    ]
    assert missing_minutes(empty_candles(), at("10:00:30"), at("10:00:50")) == []


def test_candles_outside_the_range_do_not_matter():
    candles = grid("09:00:00", "11:00:00")

    assert missing_minutes(candles, at("10:00:00"), at("10:10:00")) == []


def test_sound_candles_have_no_faults_and_pass():
    for candles in (grid("10:00:00", "10:09:00"), empty_candles()):
        assert candle_faults(candles) == []
        check_candles(candles)


@pytest.mark.parametrize(
    ("name", "value", "reasons"),
    [
        ("open", float("nan"), ["open is not a price above zero"]),
        ("close", float("inf"), ["close is not a price above zero", "high is below close"]),
        ("low", 0.0, ["low is not a price above zero"]),
        ("high", 4.0, ["high is below open", "high is below low", "high is below close"]),
        ("low", 5.5, ["high is below low", "low is above open", "low is above close"]),
        ("volume", -1.0, ["volume is not a number from zero up"]),
        ("volume", float("nan"), ["volume is not a number from zero up"]),
        ("quote_volume", float("inf"), ["quote_volume is not a number from zero up"]),
    ],
)
def test_a_broken_figure_is_named_with_its_row(name, value, reasons):
    candles = grid("10:00:00", "10:03:00")
    candles[name][2] = value

    assert candle_faults(candles) == [Fault(2, reason) for reason in reasons]


def test_times_off_the_grid_repeated_or_going_back_are_named():
    candles = grid("10:00:00", "10:04:00")
    candles["open_time_ms"][1] += 1
    candles["open_time_ms"][3] = candles["open_time_ms"][2]
    candles["open_time_ms"][4] = candles["open_time_ms"][0]

    assert candle_faults(candles) == [
        Fault(1, "open time is not on the grid of 1m"),
        Fault(3, "open time is the same as in the row before"),
        Fault(4, "open time is earlier than in the row before"),
    ]


def test_the_grid_is_that_of_the_timeframe():
    candles = grid("10:00:00", "10:00:00")
    candles["open_time_ms"] += MINUTE_MS

    with pytest.raises(InvalidRecord, match="row 0: open time is not on the grid of 5m"):
        check_candles(candles, Timeframe.M5)


def test_many_faults_are_counted_and_the_first_are_shown():
    candles = grid("10:00:00", "10:09:00")
    candles["volume"] = -1

    with pytest.raises(InvalidRecord, match=r"^row 0: volume .*row 4: volume .*; and 5 more$"):
        check_candles(candles)
