"""Which candles a stretch of time is shown with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.charts.levels import (
    LEVELS_MS,
    MAX_POINTS,
    Level,
    bin_candles,
    fitting_level,
    incomplete_times,
)
from marketdata.domain.records import CANDLE_DTYPE, UNKNOWN
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe


@pytest.mark.parametrize(
    ("minutes", "finest", "name"),
    [
        (800, Timeframe.M1, "1m"),
        (801, Timeframe.M1, "5m"),
        (60, Timeframe.H1, "1h"),
        (30 * 1440, Timeframe.M1, "1h"),
        (800 * 1440, Timeframe.M1, "1d"),
        (801 * 1440, Timeframe.M1, "2d"),
        (10 * 365 * 1440, Timeframe.D1, "5d"),
        (400 * 365 * 1440, Timeframe.M1, "183d"),
    ],
)
def test_the_finest_candles_that_fit_are_chosen(minutes, finest, name):
    assert fitting_level(0, minutes * MINUTE_MS, finest).name == name


@pytest.mark.parametrize("minutes", [1, 799, 5_000, 123_456, 2_000_000, 90_000_000])
def test_no_window_holds_more_candles_than_a_chart_can_draw(minutes):
    level = fitting_level(0, minutes * MINUTE_MS, Timeframe.M1)
    assert minutes * MINUTE_MS / level.ms <= MAX_POINTS


@given(
    start_ms=st.integers(0, 2_000_000_000_000),
    span_ms=st.integers(1, 500 * 365 * DAY_MS),
    points=st.integers(10, MAX_POINTS),
)
def test_whole_candles_over_any_stretch_are_never_too_many(start_ms, span_ms, points):
    level = fitting_level(start_ms, start_ms + span_ms, Timeframe.M1, points)
    first_ms, last_ms = level.whole(start_ms, start_ms + span_ms)
    assert 1 <= (last_ms - first_ms) / level.ms <= points
    assert start_ms - level.ms < first_ms <= start_ms
    assert start_ms + span_ms <= last_ms < start_ms + span_ms + level.ms
    assert first_ms % level.ms == last_ms % level.ms == 0


def test_the_levels_told_to_browsers_rise():
    assert list(LEVELS_MS) == sorted(set(LEVELS_MS))


def test_bins_count_their_days_from_1970():
    level = Level(Timeframe.D1, 7)
    assert level.open_time(10 * DAY_MS + 5) == 7 * DAY_MS


def test_a_bin_holds_the_first_open_the_last_close_and_the_extremes_between():
    binned = bin_candles(days(range(6, 10)), Level(Timeframe.D1, 3))
    assert binned["open_time_ms"].tolist() == [6 * DAY_MS, 9 * DAY_MS]
    assert binned["open"].tolist() == [6.0, 9.0]
    assert binned["high"].tolist() == [18.0, 19.0]
    assert binned["low"].tolist() == [-4.0, -1.0]
    assert binned["close"].tolist() == [8.5, 9.5]
    assert binned["volume"].tolist() == [21.0, 9.0]
    assert binned["trade_count"].tolist() == [300, 100]


def test_the_trade_count_of_a_bin_is_unknown_when_one_day_does_not_know_it():
    candles = days(range(6, 9))
    candles["trade_count"][1] = UNKNOWN
    assert bin_candles(candles, Level(Timeframe.D1, 3))["trade_count"].tolist() == [UNKNOWN]


def test_stored_candles_are_not_binned():
    candles = days(range(4))
    assert bin_candles(candles, Level(Timeframe.D1)) is candles


def test_a_candle_with_a_minute_missing_is_named_at_its_level():
    candles = days(range(6, 9))
    candles["minutes"][2] = 1439
    assert incomplete_times(candles, Level(Timeframe.D1)).tolist() == [8 * DAY_MS]
    assert incomplete_times(candles, Level(Timeframe.D1, 3)).tolist() == [6 * DAY_MS]


@pytest.mark.parametrize(
    ("present", "incomplete"),
    [
        (range(6, 12), []),
        ([6, 8, 9, 10, 11], [6]),
        ([7, 8, 9, 10, 11], [6]),
        ([6, 7, 8, 9, 10], [9]),
        ([8, 9], [6, 9]),
        ([], []),
    ],
)
def test_a_bin_with_a_day_absent_is_named(present, incomplete):
    found = incomplete_times(days(present), Level(Timeframe.D1, 3))
    assert found.tolist() == [day * DAY_MS for day in incomplete]


def days(numbers):
    """Return daily candles: on day n open n, high n + 10, low n - 10, close n + 0.5, volume n."""
    numbers = np.array(list(numbers))
    candles = np.zeros(len(numbers), dtype=CANDLE_DTYPE)
    candles["open_time_ms"] = numbers * DAY_MS
    candles["open"] = numbers
    candles["high"] = numbers + 10
    candles["low"] = numbers - 10
    candles["close"] = numbers + 0.5
    candles["volume"] = numbers
    candles["trade_count"] = 100
    candles["minutes"] = 1440
    return candles
