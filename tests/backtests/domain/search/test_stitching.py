"""Tests of several windows as one course."""

from __future__ import annotations

import pytest

from backtests.domain.metrics import all_metrics
from backtests.domain.search.stitching import stitched
from tests.backtests.domain.market import MINUTE, Wants, columns, run


def test_each_window_takes_up_what_the_last_one_left():
    first = run(columns(100, 100, 110, 110), Wants(1, None, None, None))
    second = run(columns(200, 200, 100, 100, start_minute=4), Wants(1, None, None, None))
    whole = stitched([first, second])
    # Everything bought: 10 % won, then half of it lost.
    assert whole.times_ms.tolist() == [minute * MINUTE for minute in range(1, 9)]
    assert all_metrics(whole)["total_return"] == pytest.approx(1.1 * 0.5 - 1)


def test_a_position_that_is_open_at_the_end_of_a_window_is_not_held_into_the_next():
    first = run(columns(100, 100, 100, 100), Wants(1, None, None, None))
    second = run(columns(100, 100, 100, 100, start_minute=4), Wants(None, None, None, None))
    # Bought at the second minute's open: three of eight minutes.
    assert all_metrics(stitched([first, second]))["exposure"] == pytest.approx(3 / 8)
