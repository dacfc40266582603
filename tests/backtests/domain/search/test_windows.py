"""Windows: tests follow their training, and nothing is tested twice."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from backtests.domain.search.windows import InvalidValidation, Window, holdout, walk_forward
from marketdata.domain.timeframe import DAY_MS, Timeframe

START = 1_704_067_200_000


def test_a_holdout_of_a_long_range_begins_at_midnight():
    (window,) = holdout(START, START + 30 * DAY_MS + 7, 0.25, Timeframe.M1)
    assert window.train == (START, START + 22 * DAY_MS)
    assert window.test == (START + 22 * DAY_MS, START + 30 * DAY_MS + 7)


def test_rolling_windows_train_on_the_days_before_and_anchored_ones_on_everything():
    end = START + 10 * DAY_MS
    days = [
        [
            (window.train[0] - START, window.train[1] - START, window.test[1] - START)
            for window in of
        ]
        for of in (
            walk_forward(START, end, 4, 3, is_anchored=False),
            walk_forward(START, end, 4, 3, is_anchored=True),
        )
    ]
    assert [[tuple(ms // DAY_MS for ms in one) for one in of] for of in days] == [
        [(0, 4, 7), (3, 7, 10)],
        [(0, 4, 7), (0, 7, 10)],
    ]


@given(
    minutes=some.integers(2 * 1440, 400 * 1440),
    train=some.integers(1, 60),
    test=some.integers(1, 30),
    is_anchored=some.booleans(),
)
def test_tests_cover_everything_behind_the_first_training_once(minutes, train, test, is_anchored):
    end = START + minutes * 60_000
    try:
        windows = walk_forward(START, end, train, test, is_anchored=is_anchored)
    except InvalidValidation:
        assert minutes <= train * 1440 or minutes > 200 * test * 1440
        return
    assert windows[0].test[0] == START + train * DAY_MS
    assert windows[-1].test[1] == end
    assert all(one.test[1] == other.test[0] for one, other in pairwise(windows))
    for window in windows:
        assert window.train[1] == window.test[0]
        assert window.train[0] == (START if is_anchored else window.train[1] - train * DAY_MS)
        assert Window.from_json(window.as_json()) == window


@pytest.mark.parametrize(
    ("share", "minutes"), [(0.0, 999), (1.0, 999), (float("nan"), 999), (0.5, 1)]
)
def test_a_range_is_not_divided_where_nothing_would_be_left(share, minutes):
    with pytest.raises(InvalidValidation) as refused:
        holdout(START, START + minutes * 60_000, share, Timeframe.M1)
    assert refused.value.field == "share"


@pytest.mark.parametrize(
    ("train", "test", "field"),
    [(0, 1, "train_days"), (1, 0, "test_days"), (10, 1, "train_days"), (1, 10_000, "test_days")],
)
def test_days_that_make_no_windows_are_refused_by_name(train, test, field):
    with pytest.raises(InvalidValidation) as refused:
        walk_forward(START, START + 10 * DAY_MS, train, test, is_anchored=False)
    assert refused.value.field == field
