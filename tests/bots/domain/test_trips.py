"""Round trips: flat, in the market, flat again, by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bots.domain.trips import round_trips

START = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class AFill:
    time: datetime
    quantity: Decimal
    price: Decimal
    position: Decimal
    realised: Decimal
    fee: Decimal = Decimal(1)
    reason: str = "target"


def fills(*rows):
    return [
        AFill(START + timedelta(minutes=number), *map(Decimal, row))
        for number, row in enumerate(rows)
    ]


def test_a_long_trip_gains_what_was_realised_less_both_fees():
    (trip,) = round_trips(fills(("2", "100", "2", "0"), ("-2", "110", "0", "20")))
    assert (trip.side, trip.quantity, trip.profit, trip.fees) == ("long", 2, 18, 2)
    assert (trip.entry_price, trip.exit_price) == (100, 110)
    assert trip.exit == START + timedelta(minutes=1)


def test_prices_of_several_fills_are_averaged_by_size():
    (trip,) = round_trips(
        fills(("1", "100", "1", "0"), ("3", "120", "4", "0"), ("-4", "130", "0", "60"))
    )
    assert (trip.entry_price, trip.fills, trip.quantity) == (115, 3, 4)


def test_a_short_trip_begins_with_a_sale():
    (trip,) = round_trips(fills(("-1", "100", "-1", "0"), ("1", "90", "0", "10")))
    assert (trip.side, trip.profit) == ("short", 8)


def test_the_last_trip_may_be_open_and_has_no_profit_yet():
    closed, still_open = round_trips(
        fills(("1", "100", "1", "0"), ("-1", "101", "0", "1"), ("1", "102", "1", "0"))
    )
    assert closed.profit == -1
    assert (still_open.exit, still_open.profit, still_open.exit_price) == (None, None, None)


def test_fills_of_a_trip_that_began_before_the_first_are_left_out():
    (trip,) = round_trips(
        fills(("-1", "100", "0", "5"), ("1", "90", "1", "0"), ("-1", "95", "0", "5"))
    )
    assert trip.entry_price == 90


@pytest.mark.parametrize("rows", [(), (("-1", "100", "0", "5"),)])
def test_without_a_beginning_there_is_no_trip(rows):
    assert round_trips(fills(*rows)) == []
