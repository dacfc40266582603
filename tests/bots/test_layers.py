"""Stops of a bot as lines over its candles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from backtests.domain.units import Units
from bots.charts.layers import Minutes, trail_lines, trailed
from bots.domain.trips import RoundTrip

START = datetime(2026, 11, 2, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
MINUTE = timedelta(minutes=1)
TENTHS = Units(Decimal("0.1"), Decimal(1), Decimal("0.1"), 1)
"""Prices in tenths."""


def at(minute):
    return START_MS + minute * 60_000


def trip(entry, last=None, *, side="long", price=100, average=None):
    return RoundTrip(
        entry=START + entry * MINUTE,
        exit=None if last is None else START + last * MINUTE,
        side=side,
        quantity=Decimal(1),
        first_price=Decimal(price),
        entry_price=Decimal(average or price),
        exit_price=None,
        fees=Decimal(),
        profit=None,
        fills=1,
        reason="target",
    )


def minutes(*extremes, first=0):
    """Return candles from `first` on, each with one price as its high and its low."""
    prices = np.array(extremes, dtype=np.int64) * 10
    times = np.array([at(first + place) for place in range(len(prices))], dtype=np.int64)
    return Minutes(at(first), times, prices, prices)


def drawn(trips, seen, *rules, end=10):
    """Return the moves of the one line as (minute, level); None where it is broken."""
    chosen = rules or [(START, {"trailing_stop": "0.1"})]
    (line,) = trail_lines(trips, chosen, TENTHS, seen, at(end))
    assert line["title"] == "Trailing stop"
    return [
        None if when is None else ((when - START_MS) / 60_000, level)
        for when, level in zip(line["time"], line["value"], strict=True)
    ]


def test_a_trailing_stop_rises_with_the_best_price_when_a_minute_closes_and_never_falls():
    seen = minutes(500, 100, 120, 110, 130, 900)
    # Held from minute 1 to the end of minute 4; what was before and after does not count.
    assert drawn([trip(1, 5)], seen) == [(1, 90), (3, 108), (5, 117), (5, 117), None]


def test_of_a_short_position_it_falls_with_the_lowest():
    seen = minutes(100, 120, 80)
    assert drawn([trip(0, 3, side="short")], seen) == [(0, 110), (3, 88), (3, 88), None]


def test_of_an_open_position_it_goes_on_to_the_end_of_what_is_shown():
    assert drawn([trip(0)], minutes(100, 120), end=7) == [(0, 90), (2, 108), (7, 108), None]


def test_what_enlarges_a_position_does_not_move_its_stop_before_the_price_does():
    assert drawn([trip(0, 2, price=100, average=115)], minutes(100, 130)) == [
        (0, 90),
        (2, 117),
        (2, 117),
        None,
    ]


def test_it_lies_on_a_tick_that_is_at_least_as_far_away_as_was_asked_for():
    assert drawn([trip(0, 1, price=Decimal("100.9"))], minutes(100)) == [
        (0, 90.8),
        (1, 90.8),
        None,
    ]


def test_a_trip_is_left_out_of_which_not_every_minute_is_known():
    rules = [(START, {"trailing_stop": "0.1"})]
    assert trail_lines([trip(0, 3)], rules, TENTHS, minutes(100, first=2), at(9)) == []


def test_only_trips_that_had_one_in_the_stretch_are_looked_at():
    rules = [
        (START, {}),
        (START + 2 * MINUTE, {"trailing_stop": "0.1"}),
        (START + 6 * MINUTE, {}),
    ]
    before, over, meant, later, after = trip(0, 1), trip(1, 3), trip(3, 5), trip(5, 8), trip(8)
    trips = [before, over, meant, later, after]
    assert trailed(trips, rules, at(4), at(7)) == [meant, later]
    assert trailed(trips, rules, at(0), at(9)) == [over, meant, later]


def test_an_edit_moves_it_when_its_first_minute_closes_and_switched_off_it_stays_there():
    rules = [
        (START, {"trailing_stop": "0.1"}),
        (START + 2 * MINUTE, {"trailing_stop": "0.2"}),
        (START + 3 * MINUTE, {"trailing_stop": None}),
    ]
    seen = minutes(100, 100, 100, 100)
    assert drawn([trip(0)], seen, *rules, end=4) == [
        (0, 90),
        (3, 80),
        (4, 80),
        None,
    ]


def test_without_a_trailing_stop_nothing_is_drawn():
    assert trail_lines([trip(0)], [(START, {})], TENTHS, minutes(100), at(4)) == []
