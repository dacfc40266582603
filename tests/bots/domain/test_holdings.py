"""Several accounts together, over days that can be added up by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bots.domain.holdings import (
    DAY_MS,
    WEEK_MS,
    correlations,
    daily_returns,
    summed,
    underwater,
    weeks,
)

MONDAY_MS = 1_793_577_600_000  # 2026-11-02
NAN = np.nan


def test_an_account_is_worth_its_capital_before_its_first_value():
    values = np.array([[110.0, 120.0], [NAN, 90.0]])
    assert summed(values, np.array([100.0, 80.0])).tolist() == [190.0, 210.0]


def test_drawdown_is_the_share_below_the_best_so_far():
    assert underwater(np.array([100.0, 50.0, 200.0, 150.0])).tolist() == [0, 0.5, 0, 0.25]


def test_the_first_days_return_is_measured_from_the_capital():
    returns = daily_returns(np.array([[110.0, 99.0], [NAN, 60.0]]), np.array([100.0, 50.0]))
    assert returns[0] == pytest.approx([0.1, -0.1])
    assert np.isnan(returns[1, 0])
    assert returns[1, 1] == pytest.approx(0.2)


def test_correlation_is_one_with_itself_and_unknown_below_ten_days():
    random = np.random.default_rng(1)
    one = random.normal(0, 1, 12)
    found = correlations(np.array([one, -one, np.append(np.full(5, NAN), one[5:])]))
    assert found[0][0] == pytest.approx(1)
    assert found[0][1] == pytest.approx(-1)
    assert found[0][2] is None


def test_what_does_not_move_is_like_nothing():
    flat = np.zeros(12)
    assert correlations(np.array([flat, flat])) == [[None, None], [None, None]]


def test_weeks_run_from_monday_to_monday_and_name_the_best_and_the_worst():
    times = MONDAY_MS + DAY_MS * np.array([5, 6, 7, 8])
    values = np.array([[101.0, 102.0, 103.0, 110.0], [100.0, 90.0, 95.0, 80.0]])
    second, first = weeks(times, values, np.array([100.0, 100.0]))
    assert (first.start_ms, second.start_ms) == (MONDAY_MS, MONDAY_MS + WEEK_MS)
    assert (first.profit, first.best, first.worst) == (-8.0, (0, 2.0), (1, -10.0))
    assert (second.profit, second.equity) == (-2.0, 190.0)
    assert second.share == pytest.approx(-2 / 192)


def test_no_days_are_no_weeks():
    assert weeks(np.zeros(0, np.int64), np.zeros((0, 0)), np.zeros(0)) == []
