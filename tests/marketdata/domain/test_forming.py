"""Running candles for live display."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from marketdata.domain.aggregation import aggregate_minutes, resample
from marketdata.domain.forming import FormingCandles
from marketdata.domain.records import UNKNOWN, empty_candles, trade_array
from marketdata.domain.timeframe import HIGHER_TIMEFRAMES, MINUTE_MS, Timeframe
from tests.marketdata.domain.builders import BTC, DAY_ONE, at, table, trades

SHAPE = ("open_time_ms", "open", "high", "low", "close", "volume", "minutes")


def rows(candles):
    return {
        timeframe: table(np.array([candle]), *SHAPE)[0] for timeframe, candle in candles.items()
    }


def test_running_candles_join_closed_minutes_and_the_forming_one():
    closed = aggregate_minutes(
        trades((1, "10:04:00", 9.0, 1.0), (2, "10:05:01", 10.0, 0.1), (3, "10:06:01", 12.0, 0.2)),
        BTC,
    )
    (forming,) = aggregate_minutes(trades((4, "10:07:01", 8.0, 0.4)), BTC)

    shown = rows(FormingCandles(BTC, closed).current(forming))

    assert shown == {
        Timeframe.M1: (at("10:07:00"), 8.0, 8.0, 8.0, 8.0, 0.4, 1),
        Timeframe.M5: (at("10:05:00"), 10.0, 12.0, 8.0, 8.0, 0.7, 3),
        Timeframe.M15: (at("10:00:00"), 9.0, 12.0, 8.0, 8.0, 1.7, 4),
        Timeframe.H1: (at("10:00:00"), 9.0, 12.0, 8.0, 8.0, 1.7, 4),
        Timeframe.H4: (at("08:00:00"), 9.0, 12.0, 8.0, 8.0, 1.7, 4),
        Timeframe.D1: (at("00:00:00"), 9.0, 12.0, 8.0, 8.0, 1.7, 4),
    }


def test_without_a_forming_minute_the_unfinished_windows_are_shown():
    closed = aggregate_minutes(trades((1, "10:04:00", 9.0, 1.0)), BTC)

    shown = rows(FormingCandles(BTC, closed).current(None))

    assert set(shown) == {Timeframe.M15, Timeframe.H1, Timeframe.H4, Timeframe.D1}
    assert FormingCandles(BTC, empty_candles()).current(None) == {}


def test_a_new_day_begins_every_candle_anew():
    candles = FormingCandles(BTC, aggregate_minutes(trades((1, "23:59:00", 9.0, 1.0)), BTC))
    (forming,) = aggregate_minutes(trades((2, "24:00:01", 8.0, 0.5)), BTC)

    before = rows(candles.current(forming))
    candles.close(np.array([forming]))
    (later,) = aggregate_minutes(trades((3, "24:01:01", 7.0, 0.5)), BTC)
    after = rows(candles.current(later))

    midnight = at("24:00:00")
    assert before[Timeframe.D1] == (midnight, 8.0, 8.0, 8.0, 8.0, 0.5, 1)
    assert after[Timeframe.D1] == (midnight, 8.0, 8.0, 7.0, 7.0, 1.0, 2)


def test_a_minute_closed_again_replaces_the_earlier_one():
    candles = FormingCandles(BTC, aggregate_minutes(trades((1, "10:00:00", 9.0, 1.0)), BTC))

    candles.close(
        aggregate_minutes(trades((1, "10:00:00", 9.0, 1.0), (2, "10:00:01", 7.0, 1.0)), BTC)
    )

    assert rows(candles.current(None))[Timeframe.H1] == (at("10:00:00"), 9.0, 9.0, 7.0, 7.0, 2.0, 1)


def test_an_unknown_trade_count_stays_unknown():
    closed = aggregate_minutes(trades((1, "10:05:00", 9.0, 1.0)), BTC)
    closed["trade_count"] = UNKNOWN
    (forming,) = aggregate_minutes(trades((2, "10:06:01", 8.0, 0.5)), BTC)

    current = FormingCandles(BTC, closed).current(forming)

    assert current[Timeframe.M5]["trade_count"] == UNKNOWN


@given(
    st.lists(
        st.tuples(st.integers(0, 20_000), st.integers(1, 9_999_999), st.integers(1, 99_999_999)),
        min_size=1,
        max_size=60,
    )
)
def test_at_every_moment_running_candles_equal_those_of_all_trades_so_far(rows):
    rows.sort(key=lambda row: row[0])
    tape = trade_array(
        [
            (n, DAY_ONE + s * 10_000, price / 10, size / 10**8, 1, 1)
            for n, (s, price, size) in enumerate(rows, start=1)
        ]
    )
    minutes = aggregate_minutes(tape, BTC)
    candles = FormingCandles(BTC, empty_candles())

    for number, minute in enumerate(minutes):
        current = candles.current(minute)
        for timeframe in HIGHER_TIMEFRAMES:
            expected = resample(minutes[: number + 1], timeframe, BTC)[-1]
            assert current[timeframe].tolist() == expected.tolist()
        candles.close(minutes[number : number + 1])
        assert minute["open_time_ms"] % MINUTE_MS == 0


def test_a_day_is_whole_when_no_minute_before_the_newest_is_absent():
    day = aggregate_minutes(
        trades((1, "00:00:30", 9.0, 1.0), (2, "00:01:30", 9.0, 1.0), (3, "00:02:01", 10.0, 0.1)),
        BTC,
    )
    first, second, third = (day[number : number + 1] for number in range(3))

    assert FormingCandles(BTC, day).is_whole
    assert not FormingCandles(BTC, np.concatenate([first, third])).is_whole
    late = FormingCandles(BTC, np.concatenate([second, third]))
    assert not late.is_whole
    late.close(first)
    assert late.is_whole
