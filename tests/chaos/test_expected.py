"""A merged trade is taken for its matches only where it says exactly the same."""

from __future__ import annotations

import pytest

from marketdata.domain.records import trade_array
from tests.chaos.expected import merged_like

SINGLE = trade_array(
    [
        (1, 10, 5.0, 0.1, 1, 1),
        (2, 11, 5.0, 0.2, 1, 1),
        (3, 11, 5.0, 0.3, 1, 1),
        (4, 12, 6.0, 0.4, 1, 1),
    ]
)


def test_matches_of_one_price_make_one_row_with_their_exact_sum():
    stored = trade_array(
        [(1, 10, 5.0, 0.1, 1, 1), (3, 11, 5.0, 0.5, 1, 2), (4, 12, 6.0, 0.4, 1, 1)]
    )

    assert merged_like(stored, SINGLE).tolist() == stored.tolist()


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param((3, 11, 5.0, 0.6, 1, 2), id="another size"),
        pytest.param((3, 10, 5.0, 0.5, 1, 2), id="another time"),
        pytest.param((3, 11, 5.0, 0.5, -1, 2), id="another side"),
        pytest.param((4, 12, 6.0, 0.7, 1, 2), id="two prices"),
        pytest.param((3, 11, 5.0, 0.9, 1, 5), id="more matches than there are"),
    ],
)
def test_a_merged_row_that_says_something_else_differs(wrong):
    stored = trade_array([wrong])

    assert wrong not in merged_like(stored, SINGLE).tolist()
