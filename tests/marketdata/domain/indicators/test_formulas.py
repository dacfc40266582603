"""Indicators by hand: small series, worked out on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

from marketdata.domain.indicators import compute, find_indicator
from marketdata.domain.timeframe import MINUTE_MS
from tests.marketdata.domain.indicators.market import START_MS, candles_of

NAN = math.nan
HOUR_MS = 3_600_000


def values(key, candles, step_ms=MINUTE_MS, **params):
    """Return the outputs as lists, in their order."""
    outputs = compute(find_indicator(key), candles, params, step_ms=step_ms)
    return [column.tolist() for column in outputs.values()]


def about(expected):
    return pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True)


def test_sma_is_the_mean_of_the_last_closes():
    (found,) = values("sma", candles_of([1, 2, 6, 4]), period=3)
    assert found == about([NAN, NAN, 3, 4])


def test_ema_begins_with_the_simple_average():
    # Weight 2 / (3 + 1): 2, then 2 + (8 - 2) / 2, then 5 + (3 - 5) / 2.
    (found,) = values("ema", candles_of([1, 2, 3, 8, 3]), period=3)
    assert found == about([NAN, NAN, 2, 5, 4])


def test_wma_weighs_the_newest_close_most():
    # A sixth of 1 + 4 + 18, then of 2 + 12 + 12.
    (found,) = values("wma", candles_of([1, 2, 6, 4]), period=3)
    assert found == about([NAN, NAN, 23 / 6, 26 / 6])


def test_rsi_smooths_rises_and_falls_as_wilder_does():
    # Changes +2 -1 | +3 0 -4: averages (1, 0.5), (2, 0.25), (1, 0.125), (0.5, 2.0625).
    (found,) = values("rsi", candles_of([10, 12, 11, 14, 14, 10]), period=2)
    assert found == about([NAN, NAN, 100 / 1.5, 200 / 2.25, 100 / 1.125, 50 / 2.5625])


def test_rsi_is_100_when_prices_only_rise_0_when_they_only_fall_50_when_they_rest():
    for closes, expected in (
        (np.arange(1, 20), 100),
        (np.arange(20, 1, -1), 0),
        (np.ones(20), 50),
    ):
        (found,) = values("rsi", candles_of(closes))
        assert found[-1] == expected


def test_macd_begins_both_averages_together():
    # fast 1, slow 2, signal 2: the line is close - ema2; ema2 is 3, 11/3, 59/9.
    line, signal, histogram = values("macd", candles_of([2, 4, 4, 8]), fast=1, slow=2, signal=2)
    assert line == about([NAN, NAN, 1 / 3, 13 / 9])
    assert signal == about([NAN, NAN, 2 / 3, 32 / 27])
    assert histogram == about([NAN, NAN, -1 / 3, 7 / 27])


def test_bollinger_bands_lie_population_deviations_from_the_average():
    middle, upper, lower = values("bollinger", candles_of([1, 3, 5, 5]), period=2, deviations=2)
    assert middle == about([NAN, 2, 4, 5])
    assert upper == about([NAN, 4, 6, 5])
    assert lower == about([NAN, 0, 2, 5])


def test_deviation_divides_by_the_count_or_by_one_less():
    closes = [2, 4, 4, 4, 5, 5, 7, 9]  # mean 5, squares add up to 32
    (population,) = values("deviation", candles_of(closes), period=8)
    (sample,) = values("deviation", candles_of(closes), period=8, ddof=1)
    assert population[-1] == about(2)
    assert sample[-1] == about(math.sqrt(32 / 7))


def test_donchian_spans_the_highest_high_and_the_lowest_low():
    candles = candles_of([5, 6, 4, 5], highs=[6, 9, 7, 6], lows=[4, 5, 3, 4])
    upper, middle, lower = values("donchian", candles, period=2)
    assert upper == about([NAN, 9, 9, 7])
    assert middle == about([NAN, 6.5, 6, 5])
    assert lower == about([NAN, 4, 3, 3])


def test_atr_begins_with_the_mean_of_the_first_true_ranges():
    # True ranges: 12 less 9; 15 less the close before, 10; then 15 less 13, and 13 less 11.
    candles = candles_of([9, 10, 15, 13, 11], highs=[10, 12, 15, 15, 12], lows=[8, 9, 12, 13, 11])
    (found,) = values("atr", candles, period=2)
    # The mean of 3 and 5, then half the way to 2 and to 2 again.
    assert found == about([NAN, NAN, 4, 3, 2.5])


def test_stochastic_places_the_close_in_the_range():
    candles = candles_of([5, 8, 6, 9], highs=[6, 10, 8, 9], lows=[4, 5, 4, 5])
    # Over two candles: (8 - 4) / 6, (6 - 4) / 6, (9 - 4) / 5.
    k, d = values("stochastic", candles, period=2, smoothing=1, signal=2)
    assert k == about([NAN, NAN, 100 / 3, 100])
    assert d == about([NAN, NAN, 50, 200 / 3])


def test_stochastic_is_50_where_there_is_no_range():
    k, d = values("stochastic", candles_of([7] * 20))
    assert k[-1] == d[-1] == 50


def test_adx_measures_the_share_of_movement_that_goes_one_way():
    # Period 2. Movements up 2, down 1, up 1; true ranges 3, 2, 2.
    candles = candles_of([9, 11, 10, 11], highs=[10, 12, 12, 13], lows=[8, 9, 8, 11])
    adx, plus, minus = values("adx", candles, period=2)
    # Averages of up: (0+2)/2 = 1, 0.5, 0.75; of down: 0, 0.5, 0.25; of ranges: 1.5, 2.75, 2.875.
    assert plus == about([NAN, NAN, NAN, 75 / 2.875])
    assert minus == about([NAN, NAN, NAN, 25 / 2.875])
    # Shares of the difference: 0, then (0.75 - 0.25) / (0.75 + 0.25).
    assert adx == about([NAN, NAN, NAN, 25])


def test_adx_of_a_market_that_rests_is_0():
    adx, plus, minus = values("adx", candles_of([7] * 40))
    assert adx[-1] == plus[-1] == minus[-1] == 0


def test_obv_adds_the_volume_of_rising_candles_and_takes_that_of_falling_ones():
    candles = candles_of([5, 6, 6, 4, 5], volumes=[10, 3, 100, 4, 1])
    assert values("obv", candles) == [[10, 13, 13, 9, 10]]


def test_vwap_weighs_typical_prices_by_volume_and_begins_anew_each_session():
    candles = candles_of([9, 12, 20, 30], volumes=[1, 3, 5, 0], start_ms=START_MS - 2 * MINUTE_MS)
    candles["high"] += 3
    # Typical prices 10, 13, 21, 31; midnight UTC lies in the middle.
    assert values("vwap", candles) == [about([10, (10 + 39) / 4, 21, 21])]


def test_vwap_is_the_typical_price_until_something_is_traded():
    candles = candles_of([9, 12, 15], volumes=[0, 0, 2])
    assert values("vwap", candles) == [[9, 12, 15]]


def test_vwap_of_168_hours_begins_anew_on_monday():
    # START_MS is a Monday; the candles are hours, from Sunday 23:00.
    candles = candles_of([9, 12, 15], start_ms=START_MS - HOUR_MS)
    candles["open_time_ms"] = START_MS + HOUR_MS * np.array([-1, 0, 1])
    assert values("vwap", candles, step_ms=HOUR_MS, hours=168) == [about([9, 12, 13.5])]


def test_roc_is_the_change_in_percent():
    (found,) = values("roc", candles_of([10, 20, 15, 10]), period=2)
    assert found == about([NAN, NAN, 50, -50])


def test_roc_from_a_price_of_zero_is_0():
    (found,) = values("roc", candles_of([0, 5]), period=1)
    assert found == about([NAN, 0])
