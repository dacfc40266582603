"""Histograms: round edges, zero among them, nothing lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtests.domain.distribution import MOST_BINS, histogram


def test_edges_are_round_and_zero_is_one_of_them():
    bins = histogram(np.array([-0.031, -0.002, 0.0, 0.001, 0.044]), most=10)
    assert [(round(one.low, 4), one.count) for one in bins if one.count] == [
        (-0.04, 1),
        (-0.01, 1),
        (0.0, 2),
        (0.04, 1),
    ]


def test_equal_values_are_one_bin():
    (only,) = histogram(np.array([0.02, 0.02]))
    assert (only.low, only.high, only.count) == (0.02, 0.04, 2)


def test_nothing_makes_no_bin():
    assert histogram(np.zeros(0)) == []


@given(st.lists(st.floats(-0.99, 5).filter(lambda x: x == 0 or abs(x) > 1e-6), min_size=1))
def test_every_value_is_in_some_bin(values):
    bins = histogram(np.array(values))
    assert sum(one.count for one in bins) == len(values)
    assert len(bins) <= MOST_BINS + 2
    assert bins[0].low <= min(values)
    assert bins[-1].high >= max(values) or bins[-1].high == pytest.approx(max(values))
