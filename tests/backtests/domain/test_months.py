"""Monthly returns by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from backtests.domain.months import MonthReturn, monthly_returns, year_return


def at(*parts):
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)


def test_each_month_is_counted_from_the_end_of_the_one_before():
    times = [at(2024, 12, 31, 12), at(2025, 1, 1), at(2025, 1, 15), at(2025, 2, 1), at(2025, 2, 2)]
    equity = [110, 120, 90, 60, 90]
    months = monthly_returns(np.array(times), np.array(equity), 100)
    # The close at 00:00 of the 1st ends the month before.
    assert [(one.year, one.month) for one in months] == [(2024, 12), (2025, 1), (2025, 2)]
    assert [one.share for one in months] == pytest.approx([0.2, -0.5, 0.5])


def test_the_months_of_a_year_come_to_the_whole():
    months = [MonthReturn(2025, 1, 0.5), MonthReturn(2025, 2, -0.5)]
    assert year_return(months) == pytest.approx(-0.25)


def test_after_everything_is_lost_nothing_is_known():
    months = monthly_returns(np.array([at(2025, 1, 2), at(2025, 2, 2)]), np.array([0, 0]), 100)
    assert [one.share for one in months] == [-1.0, None]
    assert year_return(months) is None
