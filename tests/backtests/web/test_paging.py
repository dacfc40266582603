"""Which rows of a long table a page has, whatever its address asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtests.views.paging import page_of


@given(st.integers(0, 500), st.integers(1, 60))
def test_pages_together_have_every_row_once(total, size):
    rows, first = list(range(total)), page_of("1", total, size)
    pages = [page_of(str(number), total, size) for number in range(1, first.count + 1)]
    assert [row for page in pages for row in rows[page.rows]] == rows
    assert [page.later for page in pages] == [*range(2, first.count + 1), None]
    assert [page.earlier for page in pages] == [None, *range(1, first.count)]


@pytest.mark.parametrize(
    ("asked", "number"),
    [("2", 2), ("", 1), ("0", 1), ("-1", 1), ("x", 1), ("²", 1), ("99", 3), ("9" * 30, 1)],
)
def test_the_nearest_page_is_shown_and_the_first_for_no_number(asked, number):
    assert page_of(asked, 21, 10).number == number


def test_a_table_without_a_row_has_one_page():
    page = page_of("1", 0, 10)
    assert (page.count, page.earlier, page.later, [][page.rows]) == (1, None, None, [])
