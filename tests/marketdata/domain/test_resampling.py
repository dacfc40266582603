"""Higher candles from minutes."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.domain.aggregation import (
    aggregate_minutes,
    flat_minutes,
    resample,
    resample_all,
)
from marketdata.domain.records import (
    CANDLE_DTYPE,
    UNKNOWN,
    Candles,
    Source,
    empty_candles,
    trade_array,
)
from marketdata.domain.timeframe import HIGHER_TIMEFRAMES, MINUTE_MS, Timeframe
from tests.effort import spent_here_s
from tests.marketdata.domain.builders import BTC, DAY_ONE, SWAP, at, table, trades


def minutes(*rows: tuple) -> Candles:
    """Return rows (open time, open, high, low, close, volume) as whole minutes of TRADES."""
    candles = np.zeros(len(rows), dtype=CANDLE_DTYPE)
    for candle, row in zip(candles, rows, strict=True):
        values = (at(row[0]), *row[1:])
        for name, value in zip(CANDLE_DTYPE.names or (), values, strict=False):
            candle[name] = value
    candles["minutes"] = 1
    return candles


def test_a_higher_candle_has_the_extremes_and_the_sums_of_its_minutes():
    ones = minutes(
        ("10:04:00", 9.0, 9.0, 9.0, 9.0, 9.0),
        ("10:05:00", 10.0, 12.0, 9.5, 11.0, 0.1),
        ("10:06:00", 11.0, 15.0, 11.0, 14.0, 0.2),
        ("10:09:00", 14.0, 14.5, 8.0, 13.0, 0.4),
    )

    candles = resample(ones, Timeframe.M5, BTC)

    names = ("open_time_ms", "open", "high", "low", "close", "volume", "minutes")
    assert table(candles, *names) == [
        (at("10:00:00"), 9.0, 9.0, 9.0, 9.0, 9.0, 1),
        (at("10:05:00"), 10.0, 15.0, 8.0, 13.0, 0.7, 3),
    ]


def test_days_and_hours_are_cut_in_utc():
    ones = minutes(
        ("00:00:00", 1, 1, 1, 1, 1), ("15:59:00", 2, 2, 2, 2, 1), ("16:00:00", 3, 3, 3, 3, 1)
    )

    assert table(resample(ones, Timeframe.D1, BTC), "open_time_ms", "close") == [(DAY_ONE, 3.0)]
    assert table(resample(ones, Timeframe.H4, BTC), "open_time_ms") == [
        (at("00:00:00"),),
        (at("12:00:00"),),
        (at("16:00:00"),),
    ]


def test_the_worst_source_wins_and_only_all_flat_is_flat():
    sources = {
        "10:00:00": Source.FLAT,
        "10:01:00": Source.FLAT,
        "10:05:00": Source.FLAT,
        "10:06:00": Source.TRADES,
        "10:10:00": Source.TRADES,
        "10:11:00": Source.EXCHANGE,
        "10:15:00": Source.IMPORTED,
        "10:16:00": Source.EXCHANGE,
    }
    ones = minutes(*[(time, 1, 1, 1, 1, 0) for time in sources])
    ones["source"] = list(sources.values())

    candles = resample(ones, Timeframe.M5, BTC)

    assert candles["source"].tolist() == [
        Source.FLAT,
        Source.TRADES,
        Source.EXCHANGE,
        Source.IMPORTED,
    ]


def test_counts_and_ids_are_known_only_if_they_are_for_every_minute():
    traded = aggregate_minutes(
        trades((7, "10:00:01", 1.0, 1.0), (8, "10:00:02", 1.0, 1.0), (9, "10:03:00", 1.0, 1.0)), BTC
    )
    flat = flat_minutes(at("10:01:00"), at("10:02:00"), 1.0)
    imported = minutes(("10:05:00", 1, 1, 1, 1, 1), ("10:06:00", 1, 1, 1, 1, 1))
    imported["trade_count"] = [4, UNKNOWN]
    imported["first_trade_id"], imported["last_trade_id"] = [10, UNKNOWN], [13, UNKNOWN]
    quiet = flat_minutes(at("10:10:00"), at("10:11:00"), 1.0)
    ones = np.concatenate([traded, flat, imported, quiet])
    ones.sort(order="open_time_ms")

    candles = resample(ones, Timeframe.M5, BTC)

    assert table(candles, "trade_count", "first_trade_id", "last_trade_id") == [
        (3, 7, 9),
        (UNKNOWN, UNKNOWN, UNKNOWN),
        (0, UNKNOWN, UNKNOWN),
    ]


def test_a_higher_candle_closes_with_its_last_minute():
    ones = minutes(("10:00:00", 1, 1, 1, 1, 1), ("10:01:00", 1, 1, 1, 1, 1))
    ones["closed_at_ms"] = [at("10:01:00.5"), at("10:02:05")]
    ones["revision"] = 3

    candles = resample(ones, Timeframe.M5, BTC)

    assert table(candles, "closed_at_ms", "revision") == [(at("10:02:05"), 0)]


def test_a_minute_with_trades_missing_leaves_its_higher_candle_incomplete():
    ones = minutes(*[(f"10:0{n}:00", 1, 1, 1, 1, 1) for n in range(5)])
    ones["minutes"][2] = 0

    assert resample(ones, Timeframe.M5, BTC)["minutes"].tolist() == [4]


def test_volumes_that_are_no_short_decimals_are_added_without_drift():
    ones = minutes(*[(f"00:{n:02d}:00", 1, 1, 1, 1, 0.1 + 0.2) for n in range(60)])
    ones["quote_volume"] = [123_456_789.123456789 + n / 7 for n in range(60)]

    (hour,) = resample(ones, Timeframe.H1, BTC)

    assert hour["volume"] == float(Decimal("0.30000000000000004") * 60)
    exact = sum(Decimal(repr(value)) for value in ones["quote_volume"].tolist())
    assert hour["quote_volume"] == pytest.approx(float(exact), rel=1e-14)


def test_a_window_of_exact_quote_volumes_is_exact_whatever_stands_beside_it():
    ones = minutes(*[(f"10:{n:02d}:00", 1, 1, 1, 1, 1) for n in range(6)])
    ones["quote_volume"] = [113104.0, 780028.1, 324603.3, 198539.8, 662321.9, 10 / 3]

    assert resample(ones, Timeframe.M5, BTC)["quote_volume"].tolist() == [2078597.1, 10 / 3]


def test_no_minutes_make_no_candles():
    assert len(resample(empty_candles(), Timeframe.H1, BTC)) == 0
    assert {len(candles) for candles in resample_all(empty_candles(), BTC).values()} == {0}


TAPES = st.lists(
    st.tuples(
        st.integers(0, 40_000),
        st.decimals("0.1", "99999.9", places=1),
        st.decimals("0.01", "99999", places=2),
    ),
    min_size=1,
    max_size=80,
)


@given(TAPES, st.sampled_from([BTC, SWAP]), st.sampled_from(HIGHER_TIMEFRAMES))
def test_minutes_give_the_same_higher_candle_as_the_trades_themselves(rows, spec, timeframe):
    rows.sort(key=lambda row: row[0])
    tape = trade_array(
        [
            (trade_id, DAY_ONE + seconds * 1000, float(price), float(size), 1, 1)
            for trade_id, (seconds, price, size) in enumerate(rows, start=1)
        ]
    )

    candles = resample(aggregate_minutes(tape, spec), timeframe, spec)

    merged = tape.copy()
    merged["time_ms"] = merged["time_ms"] // timeframe.ms * timeframe.ms
    expected = aggregate_minutes(merged, spec)
    exact = ("open_time_ms", "open", "high", "low", "close", "volume", "trade_count")
    assert table(candles, *exact) == table(expected, *exact)
    assert table(candles, "first_trade_id", "last_trade_id") == table(
        expected, "first_trade_id", "last_trade_id"
    )
    assert candles["quote_volume"].tolist() == pytest.approx(
        expected["quote_volume"].tolist(), rel=1e-12
    )


@st.composite
def any_minutes(draw) -> Candles:
    places = sorted(draw(st.sets(st.integers(0, 3_000), min_size=1, max_size=60)))
    candles = np.zeros(len(places), dtype=CANDLE_DTYPE)
    finite = st.floats(1e-6, 1e12)
    for candle, place in zip(candles, places, strict=True):
        candle["open_time_ms"] = DAY_ONE + place * MINUTE_MS
        candle["volume"], candle["quote_volume"] = draw(finite), draw(finite)
        candle["open"] = candle["high"] = candle["low"] = candle["close"] = draw(finite)
        candle["trade_count"] = draw(st.integers(-1, 9))
        candle["source"] = draw(st.sampled_from(Source))
    candles["minutes"] = 1
    return candles


@given(any_minutes(), st.sampled_from(HIGHER_TIMEFRAMES), st.integers(1, 3_000))
def test_resampling_parts_cut_at_a_boundary_equals_resampling_the_whole(ones, timeframe, place):
    cut_ms = timeframe.open_time(DAY_ONE + place * MINUTE_MS)
    before = ones["open_time_ms"] < cut_ms

    parts = [resample(ones[side], timeframe, BTC) for side in (before, ~before)]
    whole = resample(ones, timeframe, BTC)

    assert np.concatenate(parts).tolist() == whole.tolist()
    assert resample_all(ones, BTC)[timeframe].tolist() == whole.tolist()


def test_a_year_of_minutes_becomes_all_timeframes_fast_enough():
    year = flat_minutes(DAY_ONE, DAY_ONE + 525_599 * MINUTE_MS, 60_000.1)
    year["volume"] = np.round(np.random.default_rng(1).exponential(10, len(year)), 8)
    year["quote_volume"] = year["volume"] * 60_000.1

    spent = []
    for _ in range(3):
        before_s = spent_here_s()
        candles = resample_all(year, BTC)
        spent.append(spent_here_s() - before_s)

    assert len(candles[Timeframe.M5]) == 105_120
    assert candles[Timeframe.D1]["minutes"].tolist() == [1440] * 365
    # The aim is 0.15 s; three times that still catches a loop in Python.
    assert min(spent) < 0.45
