"""Where candles are missing: short gaps are walked over, longer ones restart the state."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.domain.errors import InvalidCandles
from marketdata.domain.indicators import (
    INDICATORS,
    LONGEST_GAP,
    Indicator,
    Segment,
    advance,
    begin,
    compute,
    segments,
)
from marketdata.domain.timeframe import MINUTE_MS
from tests.marketdata.domain.indicators.market import wandering, without

CANDLES = wandering(300)

every_indicator = pytest.mark.parametrize("indicator", INDICATORS.values(), ids=list(INDICATORS))


def cut(*minutes, after=None, longest_gap=2):
    after_ms = None if after is None else after * MINUTE_MS
    times = np.array(minutes, dtype=np.int64) * MINUTE_MS
    return segments(times, MINUTE_MS, after_ms=after_ms, longest_gap=longest_gap)


def over(indicator, candles):
    return compute(indicator, candles, {}, step_ms=MINUTE_MS)


def assert_equal(found, expected):
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


def test_candles_without_gaps_are_one_segment():
    assert cut(0, 1, 2) == [Segment(0, 3, is_new=True)]
    assert cut() == []


def test_a_gap_of_the_longest_length_is_walked_over_and_one_more_is_not():
    assert cut(0, 3, 6) == [Segment(0, 3, is_new=True)]
    assert cut(0, 4, 5) == [Segment(0, 1, is_new=True), Segment(1, 3, is_new=True)]
    assert cut(0, 4, 8) == [Segment(n, n + 1, is_new=True) for n in range(3)]


def test_without_any_gap_allowed_every_missing_candle_restarts():
    assert cut(0, 1, 3, longest_gap=0) == [Segment(0, 2, is_new=True), Segment(2, 3, is_new=True)]


def test_a_walk_goes_on_unless_the_gap_before_it_is_too_long():
    assert cut(3, 4, after=0) == [Segment(0, 2, is_new=False)]
    assert cut(4, 5, after=0) == [Segment(0, 2, is_new=True)]
    assert cut(1, 9, after=0) == [Segment(0, 1, is_new=False), Segment(1, 2, is_new=True)]


@pytest.mark.parametrize("minutes", [(0, 2, 1), (0, 0), (5, 4)])
def test_candles_out_of_order_or_twice_are_refused(minutes):
    with pytest.raises(InvalidCandles, match="expected candles in order of time"):
        cut(*minutes)


def test_a_candle_that_was_seen_already_is_refused():
    with pytest.raises(InvalidCandles, match="two are 0 ms apart"):
        cut(3, 4, after=3)


def test_candles_closer_than_their_length_are_refused():
    with pytest.raises(InvalidCandles, match="at least 60000 ms apart; two are 59999 ms apart"):
        segments(np.array([0, 59_999]), MINUTE_MS)


@every_indicator
def test_after_a_long_gap_everything_is_as_if_history_began_there(indicator: Indicator):
    candles = without(CANDLES, 100, 100 + LONGEST_GAP)
    found = over(indicator, candles)

    assert_equal(
        {name: values[:100] for name, values in found.items()}, over(indicator, candles[:100])
    )
    assert_equal(
        {name: values[100:] for name, values in found.items()}, over(indicator, candles[100:])
    )


@every_indicator
def test_over_a_short_gap_neighbours_count_as_adjacent(indicator: Indicator):
    candles = without(CANDLES, 100, 99 + LONGEST_GAP)
    adjacent = candles.copy()
    if indicator.key != "vwap":  # the only one that looks at the time
        adjacent["open_time_ms"] = CANDLES["open_time_ms"][: len(candles)]

    assert_equal(over(indicator, candles), over(indicator, adjacent))
    for values in over(indicator, candles).values():
        assert np.isfinite(values[100:]).all()


@every_indicator
def test_the_rule_is_the_same_candle_by_candle(indicator: Indicator):
    candles = without(without(CANDLES, 200, 220), 100, 105)
    state, found = begin(indicator, {}), []
    for index in range(len(candles)):
        one = candles[index : index + 1]
        outputs, state = advance(indicator, one, {}, state, step_ms=MINUTE_MS)
        found.append(outputs[indicator.outputs[0]][0])

    np.testing.assert_array_equal(found, over(indicator, candles)[indicator.outputs[0]])


def test_the_length_of_a_candle_decides_what_is_missing():
    hours = CANDLES.copy()
    hours["open_time_ms"] = CANDLES["open_time_ms"][0] + 3_600_000 * np.arange(len(CANDLES))
    outputs = compute(INDICATORS["sma"], hours, {}, step_ms=3_600_000)
    assert np.isfinite(outputs["sma"][19:]).all()
    outputs = compute(INDICATORS["sma"], hours, {}, step_ms=MINUTE_MS)
    assert np.isnan(outputs["sma"]).all()


def test_a_flat_candle_is_a_candle_in_which_nothing_was_traded():
    flat = without(CANDLES, 50, 299)
    flat = np.concatenate([flat, np.repeat(flat[-1:], 30)])
    flat["open_time_ms"] = CANDLES["open_time_ms"][: len(flat)]
    flat["high"][50:] = flat["low"][50:] = flat["close"][50:]
    flat["volume"][50:] = 0
    last = flat["close"][49]

    assert over(INDICATORS["sma"], flat)["sma"][-1] == last
    assert over(INDICATORS["atr"], flat)["atr"][-1] < over(INDICATORS["atr"], flat)["atr"][49] / 5
    assert over(INDICATORS["obv"], flat)["obv"][-1] == over(INDICATORS["obv"], flat)["obv"][49]
    assert over(INDICATORS["vwap"], flat)["vwap"][-1] == over(INDICATORS["vwap"], flat)["vwap"][49]
    assert over(INDICATORS["donchian"], flat)["upper"][-1] == last
