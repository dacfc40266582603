"""Which minutes are settled, waited for and left out."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from backtests.domain.units import Units
from bots.domain.timeline import LEFT_OUT, StoredMinutes, timeline
from marketdata.domain.records import InstrumentSpec
from tests.backtests.domain.market import MINUTE, columns

UNITS = Units.of(InstrumentSpec("TOY", Decimal("0.5"), Decimal("0.1")))


def stored(*prices, missing=(), openings=None, revisions=None):
    candles = columns(*prices, missing=missing)
    seen = np.zeros(len(candles), np.int64) if revisions is None else np.array(revisions)
    return StoredMinutes(candles, seen, openings or {}, 0)


def line(minutes, *, now, start=0, repairs=()):
    return timeline(minutes, UNITS, start * MINUTE, round(now * MINUTE), repairs)


def test_minutes_that_follow_each_other_are_settled_up_to_the_newest():
    made = line(stored(100, 101, 102), now=3)
    assert (made.length, made.settled(0)) == (3, 3)
    assert made.halves.closes.tolist() == [200, 202, 204]
    assert made.revisions.tolist() == [0, 0, 0]


@pytest.mark.parametrize(("now", "settled"), [(4.0, 1), (4.1, 4)])
def test_a_missing_minute_is_waited_for_two_minutes_past_its_close(now, settled):
    made = line(stored(100, 101, 102, 103, missing=[1]), now=now)
    assert made.settled(0) == settled
    assert made.revisions.tolist() == [0, LEFT_OUT, 0, 0]
    # Who is past it already does not wait.
    assert made.settled(2) == 4


@pytest.mark.parametrize(("now", "settled"), [(12.0, 1), (12.1, 4)])
def test_a_minute_that_is_being_repaired_is_waited_for_ten_minutes(now, settled):
    repairs = [(MINUTE, 2 * MINUTE)]
    made = line(stored(100, 101, 102, 103, missing=[1]), now=now, repairs=repairs)
    assert made.settled(0) == settled


def test_after_an_outage_the_wait_begins_when_minutes_come_again():
    prices = [100] * 30
    made = line(stored(*prices, missing=range(1, 28)), now=30)
    assert made.settled(0) == 1
    assert line(stored(*prices, missing=range(1, 28)), now=30.1).settled(0) == 30


def test_a_minute_is_not_missing_before_a_later_one_is_stored():
    made = line(stored(100, 101), now=500)
    assert (made.length, len(made.holes)) == (2, 0)


def test_the_first_trade_opens_the_minute_behind_the_newest_candle():
    made = line(stored(100, 101, openings={2 * MINUTE: 103.0}), now=2.1)
    assert (made.length, len(made.halves.times)) == (2, 3)
    assert made.halves.is_open.tolist() == [True, True, True]
    assert made.halves.is_closed.tolist() == [True, True, False]
    assert made.halves.opens.tolist() == [200, 202, 206]


def test_orders_fill_at_the_first_trade_as_it_was_known():
    made = line(stored(100, 101, openings={MINUTE: 100.5}), now=2)
    assert made.halves.opens.tolist() == [200, 201]


def test_a_candle_without_volume_has_no_opening_half():
    minutes = stored(100, 101, openings={MINUTE: 100.5})
    minutes.candles.volume[1] = 0
    assert line(minutes, now=2).halves.is_open.tolist() == [True, False]


def test_a_timeline_may_begin_in_the_middle_and_before_what_is_stored():
    minutes = stored(100, 101, 102, openings={0: 100.0})
    assert line(minutes, now=3, start=1).halves.opens.tolist() == [202, 204]
    early = timeline(minutes, UNITS, -2 * MINUTE, 10 * MINUTE)
    assert early.revisions.tolist() == [LEFT_OUT, LEFT_OUT, 0, 0, 0]
    assert line(minutes, now=9, start=5).length == 0
