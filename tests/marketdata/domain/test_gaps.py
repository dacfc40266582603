"""What is missing, found exactly: small tables first, then whatever hypothesis thinks of."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from marketdata.domain.aggregation import aggregate_minutes
from marketdata.domain.gaps import (
    IdHole,
    covered_ids,
    id_holes,
    joined,
    touches,
    without,
    wrong_windows,
)
from marketdata.domain.records import TRADE_DTYPE, trade_array
from marketdata.domain.resampling import resample
from marketdata.domain.timeframe import Timeframe
from tests.marketdata.domain.builders import BTC, at, trades

STRETCHES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda one: (one[0], one[0] + one[1])),
    max_size=12,
)


def covered(stretches):
    return {number for start, end in stretches for number in range(start, end)}


def tape(ids, counts):
    return trade_array(
        [(last, last * 10, 1.0, 1.0, 1, count) for last, count in zip(ids, counts, strict=True)]
    )


def test_a_hole_has_the_ids_and_times_of_both_sides():
    rows = trades((5, "10:00:01", 1, 1), (6, "10:00:02", 1, 1), (9, "10:00:07", 1, 1))
    assert id_holes(rows) == [IdHole(7, 8, at("10:00:02"), at("10:00:07"))]


def test_a_merged_row_covers_all_its_ids():
    assert id_holes(tape([10, 14], [1, 4])) == []
    assert id_holes(tape([10, 14], [1, 3]))[0][:2] == (11, 11)


def test_rows_that_overlap_leave_no_hole():
    assert id_holes(tape([10, 12, 14], [1, 2, 9])) == []
    assert id_holes(tape([10, 20, 21, 25], [1, 10, 1, 4])) == []


def test_fewer_than_two_trades_have_no_hole():
    assert id_holes(tape([], [])) == id_holes(tape([7], [1])) == []


@given(st.sets(st.integers(1, 80), min_size=1))
def test_holes_and_trades_together_are_every_id(present):
    rows = tape(sorted(present), [1] * len(present))
    missing = {
        number for hole in id_holes(rows) for number in range(hole.first_id, hole.last_id + 1)
    }
    assert missing == set(range(min(present), max(present) + 1)) - present


@given(st.sets(st.integers(1, 60)), st.integers(1, 60), st.integers(0, 20))
def test_missing_ids_are_those_of_the_stretch_that_are_not_there(present, first, length):
    rows = tape(sorted(present), [1] * len(present))
    found = without([(first, first + length + 1)], covered_ids(rows))
    assert covered(found) == set(range(first, first + length + 1)) - present


@given(st.lists(st.tuples(st.integers(10, 60), st.integers(1, 9)), max_size=20))
def test_rows_in_any_order_cover_all_their_ids(rows):
    found = covered_ids(tape([last for last, _ in rows], [count for _, count in rows]))
    assert covered(found) == {
        number for last, count in rows for number in range(last - count + 1, last + 1)
    }
    assert found == joined(found)


def test_a_million_rows_without_a_hole_are_one_stretch():
    rows = np.zeros(1_000_000, dtype=TRADE_DTYPE)
    rows["trade_id"], rows["count"] = np.arange(1, 1_000_001), 1
    assert covered_ids(rows) == [(1, 1_000_001)]


@given(STRETCHES, STRETCHES)
def test_stretches_without_others_are_the_difference_of_their_numbers(stretches, others):
    left = without(stretches, others)
    assert covered(left) == covered(stretches) - covered(others)
    assert left == joined(left)


@given(STRETCHES)
def test_joined_stretches_are_ascending_apart_and_cover_the_same(stretches):
    result = joined(stretches)
    assert covered(result) == covered(stretches)
    assert all(one[1] < other[0] for one, other in pairwise(result))


@given(STRETCHES, STRETCHES)
def test_stretches_touch_where_they_share_a_number(stretches, others):
    others = joined(others)
    for one in joined(stretches):
        assert touches(one, others) == bool(covered([one]) & covered(others))


# Higher candles


def minutes():
    """Twelve whole minutes from 10:00 on, of one trade each."""
    rows = [(n + 1, f"10:{n:02}:00", 100.0 + n, 1.0) for n in range(12)]
    return aggregate_minutes(trades(*rows), BTC)


def test_a_candle_that_is_its_minutes_sum_is_no_gap():
    higher = resample(minutes(), Timeframe.M5, BTC)
    assert wrong_windows(minutes(), higher, Timeframe.M5, BTC, at("10:12:00")) == []


def test_absent_and_unequal_candles_are_gaps_and_the_running_one_is_not():
    higher = resample(minutes(), Timeframe.M5, BTC)
    wrong = higher.copy()
    wrong["high"][1] += 1
    ends = at("10:12:00")
    assert wrong_windows(minutes(), wrong, Timeframe.M5, BTC, ends) == [
        (at("10:05:00"), at("10:10:00"))
    ]
    both = wrong_windows(minutes(), higher[2:], Timeframe.M5, BTC, ends)
    assert both == [(at("10:00:00"), at("10:10:00"))]
    assert wrong_windows(minutes(), higher[:0], Timeframe.M15, BTC, ends) == []


@given(st.sets(st.integers(0, 11), min_size=1), st.sets(st.integers(0, 2)))
def test_exactly_the_windows_that_were_dropped_are_found(kept, dropped):
    some = minutes()[sorted(kept)]
    higher = resample(some, Timeframe.M5, BTC)
    number = (higher["open_time_ms"] - at("10:00:00")) // Timeframe.M5.ms
    left = higher[~np.isin(number, sorted(dropped))]
    found = wrong_windows(some, left, Timeframe.M5, BTC, at("10:15:00"))
    windows = {(start - at("10:00:00")) // Timeframe.M5.ms for start, _ in _single(found)}
    assert windows == set(number.tolist()) & dropped


def _single(stretches):
    step = Timeframe.M5.ms
    return [(one, one + step) for start, end in stretches for one in range(start, end, step)]
