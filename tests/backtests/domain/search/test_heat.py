"""Tables of two parameters."""

from __future__ import annotations

from backtests.domain.search.heat import MOST_CELLS, heat_table
from backtests.domain.search.space import Continuous, Listed, Stepped

FAST = Stepped("fast", 3, 5, 1, is_whole=True)
SIDES = Listed("sides", ("long", "both"))


def test_each_cell_shows_what_was_picked_of_its_trials():
    rows = [(3, "long", 1.0), (3, "long", 2.0), (5, "both", -1.0)]
    table = heat_table(FAST, SIDES, rows, "max")
    assert table["x"] == {"name": "fast", "values": [3, 4, 5], "edges": None}
    assert table["cells"] == [[2.0, None, None], [None, None, -1.0]]
    assert table["counts"] == [[2, 0, 0], [0, 0, 1]]
    assert heat_table(FAST, SIDES, rows, "min")["cells"][0][0] == 1.0
    assert heat_table(FAST, SIDES, rows, "mean")["cells"][0][0] == 1.5


def test_numbers_are_in_order_and_endless_axes_are_divided():
    backwards = Listed("slow", (50, 20))
    share = Continuous("share", 0.0, 6.0)
    table = heat_table(share, backwards, [(0.0, 50, 1.0), (6.0, 20, 2.0)], "max")
    assert table["y"]["values"] == [20, 50]
    assert len(table["x"]["values"]) == MOST_CELLS
    assert table["x"]["edges"][0] == 0.0
    assert table["x"]["edges"][-1] == 6.0
    assert table["cells"][1][0] == 1.0
    assert table["cells"][0][-1] == 2.0


def test_a_long_list_is_divided_as_a_range_is():
    long = Listed("fast", tuple(range(1_000, 0, -1)))
    other = Listed("slow", tuple(range(1, 1_001)))
    table = heat_table(long, other, [(1, 1_000, 1.0), (1_000, 1, 2.0)], "max")
    assert len(table["cells"]) == len(table["cells"][0]) == MOST_CELLS
    assert (table["cells"][-1][0], table["cells"][0][-1]) == (1.0, 2.0)
