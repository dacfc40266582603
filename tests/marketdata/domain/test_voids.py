"""What is known of trades that were given up, however many stretches they leave."""

from __future__ import annotations

from marketdata.domain.events import Hole, HoleCause
from marketdata.domain.records import Trades, trade_array
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.domain.voids import Void, Voids
from tests.marketdata.domain.builders import DAY_ONE

WIDE = Hole(10, 1_999, DAY_ONE, DAY_ONE + 2 * MINUTE_MS, HoleCause.LOSS)


def every_tenth(number: int, hole: Hole = WIDE) -> Voids:
    """Return voids of `number` single ids 10, 20, 30 and so on, of a hundred in each minute."""
    voids = Voids()
    for place in range(number):
        first_id, time_ms = 10 * (place + 1), DAY_ONE + place * MINUTE_MS // 100
        voids.add(Void(hole, first_id, first_id, time_ms, time_ms + 1))
    return voids


def found(*ids: int) -> Trades:
    return trade_array([(number, DAY_ONE, 100.0, 1.0, 1, 1) for number in ids])


def test_a_minute_stays_incomplete_however_many_stretches_were_given_up_after_it():
    voids = every_tenth(200)

    assert [voids.touch(DAY_ONE + minute * MINUTE_MS) for minute in range(-1, 3)] == [
        False,
        True,
        True,
        False,
    ]


def test_a_known_trade_between_two_given_up_ones_is_not_taken_again():
    rows, _ = every_tenth(200).fill(found(1_990, 1_995, 2_000))

    assert rows["trade_id"].tolist() == [1_990, 2_000]


def test_a_hole_is_whole_when_the_last_of_its_ids_is_found():
    voids = every_tenth(3)

    assert voids.fill(found(10, 20))[1] == ()
    assert voids.fill(found(30))[1] == (WIDE,)


def test_a_hole_is_not_whole_when_only_its_remembered_ids_are_found():
    rows, whole = every_tenth(101).fill(found(*range(10, 1_011)))

    assert len(rows) == 100
    assert whole == ()


def test_a_hole_after_the_forgotten_ones_is_whole_when_it_is_found():
    voids = every_tenth(101)
    later = Hole(2_000, 2_000, DAY_ONE, DAY_ONE + MINUTE_MS, HoleCause.LOSS)
    voids.add(Void(later, 2_000, 2_000, DAY_ONE, DAY_ONE + MINUTE_MS))

    assert voids.fill(found(2_000))[1] == (later,)
