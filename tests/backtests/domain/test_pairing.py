"""Round trips of two runs side by side."""

from __future__ import annotations

import numpy as np

from backtests.domain.pairing import Pair, kinds_of, pair_trips
from backtests.domain.roundtrips import ROUND_TRIP


def trips(*entries):
    found = np.zeros(len(entries), ROUND_TRIP)
    for place, (entry, side) in enumerate(entries):
        found[place]["entry_ms"], found[place]["side"] = entry, side
    return found


def test_trips_pair_by_entry_and_side_in_time():
    left = trips((1, 1), (5, 1), (9, -1))
    right = trips((1, 1), (3, 1), (9, 1))
    assert pair_trips(left, right) == [
        Pair(0, 0),
        Pair(None, 1),
        Pair(1, None),
        Pair(2, None),
        Pair(None, 2),
    ]


def test_one_without_trips_leaves_the_others():
    assert pair_trips(trips(), trips((1, 1))) == [Pair(None, 0)]
    assert pair_trips(trips(), trips()) == []


def test_trips_are_the_same_when_nothing_of_them_differs():
    left = trips((1, 1), (5, 1), (9, 1), (11, 1))
    right = trips((1, 1), (5, 1), (9, 1), (12, 1))
    for made in (left, right):
        made["exit_tick"] = 100
        # Still open: no exit is no difference.
        made["exit_tick"][2] = np.nan
    right["fees"][1] = 7
    pairs = pair_trips(left, right)
    assert kinds_of(pairs, left, right) == ["same", "differs", "same", "left", "right"]
