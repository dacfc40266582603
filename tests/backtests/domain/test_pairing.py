"""Round trips of two runs side by side."""

from __future__ import annotations

import numpy as np

from backtests.domain.pairing import Pair, pair_trips
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
