"""What becomes of candles when the exchange's own of the same minutes are known."""

from __future__ import annotations

import numpy as np
import pytest
from django.db import connection, transaction

from marketdata.collector.ports import Batch, InstrumentBatch
from marketdata.domain.events import Emission
from marketdata.domain.records import Source
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import CandleCheck, CandleConflict, CandleRevision, from_ms
from marketdata.storage import DatabaseSink, read_candles, write_candles
from marketdata.storage.bits import select_bits
from marketdata.storage.checks import check_minutes
from marketdata.storage.choosing import store_theirs
from marketdata.storage.filling import settle_trades
from tests.marketdata.storage.builders import DAY, closed, make_instrument, minutes, tape

pytestmark = pytest.mark.django_db


@pytest.fixture
def instrument():
    return make_instrument()


@pytest.fixture
def sink():
    return DatabaseSink(None, "okx", None)


def confirmed(ours, **changed):
    """Return what the exchange says of our minutes: the same, but for what is `changed`."""
    theirs = ours.copy()
    theirs["source"] = Source.EXCHANGE
    for name in ("trade_count", "first_trade_id", "last_trade_id"):
        theirs[name] = -1
    for name, value in changed.items():
        theirs[name] = value
    return theirs


def check(instrument, theirs):
    with transaction.atomic(), connection.cursor() as cursor:
        return check_minutes(cursor, instrument.pk, theirs)


def bits(instrument, start_ms=DAY):
    """Return the minutes of the day that are verified, and those that differ."""
    with connection.cursor() as cursor:
        found = select_bits(cursor, instrument.pk, start_ms, start_ms + DAY_MS)
    return np.flatnonzero(found.verified).tolist(), np.flatnonzero(found.differs).tolist()


def commit(sink, confirmed_candles, **emission):
    batch = InstrumentBatch("BTC-USDT", Emission(**emission), DAY + DAY_MS, confirmed_candles)
    sink.commit(Batch((batch,)))


def test_a_minute_is_verified_when_the_exchange_says_the_same(instrument):
    ours = minutes(DAY, [100.0, 101.0, 102.0])
    write_candles(instrument, ours, reason="test")

    assert check(instrument, confirmed(ours[:2])) == (2, 0)

    assert bits(instrument) == ([0, 1], [])
    assert not CandleConflict.objects.exists()


@pytest.mark.parametrize(
    ("name", "value", "is_verified"),
    [
        ("open", 100.1, False),
        ("high", 101.00000000000001, False),
        ("low", 98.9, False),
        ("close", 99.9, False),
        ("volume", 1.0000000000000002, False),
        ("quote_volume", 100.00000000000001, True),
        ("quote_volume", 100.000000001, False),
        ("quote_volume", float("nan"), True),
    ],
)
def test_every_figure_counts_to_the_last_digit(instrument, name, value, is_verified):
    ours = minutes(DAY, [100.0])
    write_candles(instrument, ours, reason="test")

    check(instrument, confirmed(ours, **{name: value}))

    assert bits(instrument) == (([0], []) if is_verified else ([], [0]))
    assert CandleConflict.objects.exists() is not is_verified


def test_both_values_of_a_minute_that_differs_are_kept_and_ours_stays_as_it_is(instrument):
    ours = minutes(DAY, [100.0, 101.0])
    write_candles(instrument, ours, reason="test")

    assert check(instrument, confirmed(ours, volume=[1.0, 7.0])) == (1, 1)

    conflict = CandleConflict.objects.get()
    assert (conflict.open_time, conflict.kind) == (from_ms(DAY + MINUTE_MS), "exchange")
    assert (conflict.our_volume, conflict.their_volume) == (1.0, 7.0)
    assert (conflict.our_close, conflict.their_close) == (101.0, 101.0)
    assert (conflict.state, conflict.attempts, conflict.settled_at) == ("open", 0, None)
    stored = read_candles(instrument, Timeframe.M1, DAY, DAY + DAY_MS)
    assert stored["volume"].tolist() == [1.0, 1.0]
    assert not CandleRevision.objects.exists()


def test_checking_again_changes_nothing(instrument):
    ours = minutes(DAY, [100.0, 101.0])
    write_candles(instrument, ours, reason="test")
    theirs = confirmed(ours, volume=[1.0, 7.0])
    check(instrument, theirs)
    CandleConflict.objects.update(attempts=2)
    before = [list(model.objects.values_list()) for model in (CandleCheck, CandleConflict)]

    check(instrument, theirs)

    assert [list(m.objects.values_list()) for m in (CandleCheck, CandleConflict)] == before


def test_a_conflict_is_settled_when_the_exchange_corrects_its_candle(instrument):
    ours = minutes(DAY, [100.0])
    write_candles(instrument, ours, reason="test")
    check(instrument, confirmed(ours, volume=7.0))

    check(instrument, confirmed(ours))

    assert bits(instrument) == ([0], [])
    conflict = CandleConflict.objects.get()
    assert (conflict.state, conflict.how) == ("settled", "the exchange corrected its candle")
    assert conflict.settled_at is not None


def test_a_minute_that_differs_again_opens_its_conflict_again(instrument):
    ours = minutes(DAY, [100.0])
    write_candles(instrument, ours, reason="test")
    for volume in (7.0, 1.0, 7.0):
        check(instrument, confirmed(ours, volume=volume))

    conflict = CandleConflict.objects.get()
    assert (conflict.state, conflict.settled_at, conflict.how) == ("open", None, "")
    assert bits(instrument) == ([], [0])


def test_what_a_person_left_as_it_is_stays_so_until_one_side_changes(instrument):
    ours = minutes(DAY, [100.0])
    write_candles(instrument, ours, reason="test")
    check(instrument, confirmed(ours, volume=7.0))
    CandleConflict.objects.update(state="kept", settled_at=from_ms(DAY))

    check(instrument, confirmed(ours, volume=7.0))
    assert CandleConflict.objects.get().state == "kept"

    check(instrument, confirmed(ours, volume=8.0))
    assert CandleConflict.objects.get().state == "open"


def test_only_whole_minutes_that_were_built_here_are_checked(instrument):
    ours = minutes(DAY, [100.0] * 5)
    ours["source"] = [Source.TRADES, Source.FLAT, Source.EXCHANGE, Source.IMPORTED, Source.TRADES]
    ours["minutes"][4] = 0
    write_candles(instrument, ours, reason="test")

    theirs = confirmed(minutes(DAY - MINUTE_MS, [100.0] * 8))
    theirs["volume"] = [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 1.0, 1.0]

    assert check(instrument, theirs) == (2, 0)
    assert bits(instrument) == ([0, 1], [])


def test_minutes_on_both_sides_of_midnight_are_verified_in_their_days(instrument):
    ours = minutes(DAY - MINUTE_MS, [100.0, 101.0])
    write_candles(instrument, ours, reason="test")

    check(instrument, confirmed(ours))

    assert bits(instrument, DAY - DAY_MS) == ([1439], [])
    assert bits(instrument) == ([0], [])


def test_a_verified_minute_that_is_revised_is_to_be_checked_again(instrument):
    ours = minutes(DAY, [100.0, 101.0, 102.0])
    write_candles(instrument, ours, reason="test")
    check(instrument, confirmed(ours))
    better = ours[1:2].copy()
    better["trade_count"], better["volume"] = 5, 3.0

    write_candles(instrument, better, reason="late trade")

    assert bits(instrument) == ([0, 2], [])
    assert not CandleConflict.objects.exists()


def test_a_verified_minute_stays_verified_when_only_its_trades_are_counted_otherwise(instrument):
    ours = minutes(DAY, [100.0])
    write_candles(instrument, ours, reason="test")
    check(instrument, confirmed(ours))
    counted = ours.copy()
    counted["trade_count"] = 5

    assert write_candles(instrument, counted, reason="late trade").changed == 1

    assert bits(instrument) == ([0], [])


def test_a_verified_minute_that_turns_out_incomplete_is_not_verified_any_more(instrument):
    ours = minutes(DAY, [100.0])
    write_candles(instrument, ours, reason="test")
    check(instrument, confirmed(ours))
    exchange = minutes(DAY, [103.0], source=Source.EXCHANGE)
    from marketdata.storage.merging import differs
    from marketdata.storage.writing import store_minutes

    doubted = ours.copy()
    doubted["minutes"] = 0
    with transaction.atomic(), connection.cursor() as cursor:
        store_minutes(cursor, instrument, doubted, "hole", differs)
    assert bits(instrument) == ([], [])

    write_candles(instrument, exchange, reason="history")
    assert bits(instrument) == ([], [])


def test_a_repair_that_brings_the_exchange_s_values_settles_the_conflict(instrument, sink):
    trades = tape(DAY, [100.0] * 6 + [101.0] * 6 + [102.0])
    whole = closed(trades)
    part = np.delete(trades, [3, 4])
    commit(sink, confirmed(whole), trades=part, minutes=closed(part))
    assert bits(instrument) == ([1], [0])

    commit(sink, whole[:0], trades=trades[3:5], rebuild=(DAY,))

    assert bits(instrument) == ([0, 1], [])
    conflict = CandleConflict.objects.get()
    assert (conflict.state, conflict.how) == ("settled", "late trade")
    assert (conflict.our_volume, conflict.their_volume) == (2.0, 3.0)


def test_a_repair_that_brings_other_values_leaves_the_conflict_open_with_the_new_ones(
    instrument, sink
):
    trades = tape(DAY, [100.0] * 6 + [101.0] * 6 + [102.0])
    part = np.delete(trades, [3, 4])
    commit(sink, confirmed(closed(trades)), trades=part, minutes=closed(part))
    CandleConflict.objects.update(attempts=2)

    commit(sink, closed(trades)[:0], trades=trades[3:4], rebuild=(DAY,))

    conflict = CandleConflict.objects.get()
    assert (conflict.state, conflict.our_volume, conflict.attempts) == ("open", 2.5, 0)
    assert bits(instrument) == ([1], [0])


def test_theirs_that_a_person_took_and_a_repair_replaced_is_shown_as_different_again(
    instrument, sink
):
    trades = tape(DAY, [100.0] * 6 + [101.0] * 6 + [102.0])
    theirs = confirmed(closed(trades)[1:], volume=9.0)
    commit(sink, theirs, trades=trades, minutes=closed(trades))
    store_theirs(CandleConflict.objects.get(), "theirs taken by ann")
    assert CandleConflict.objects.get().state == "settled"
    assert bits(instrument) == ([], [])

    settle_trades(instrument, DAY, DAY + 2 * MINUTE_MS, len(trades), DAY + DAY_MS)

    stored = read_candles(instrument, Timeframe.M1, DAY + MINUTE_MS, DAY + 2 * MINUTE_MS)
    assert (stored["source"][0], stored["volume"][0]) == (Source.TRADES, 3.0)
    reasons = CandleRevision.objects.filter(timeframe=1).values_list("volume", "reason")
    assert list(reasons.order_by("pk")) == [(3.0, "theirs taken by ann"), (9.0, "gap repaired")]
    check(instrument, theirs)
    conflict = CandleConflict.objects.get()
    assert (conflict.state, conflict.our_volume, conflict.their_volume) == ("open", 3.0, 9.0)
    assert bits(instrument) == ([], [1])


def test_a_batch_with_a_confirmed_minute_may_be_stored_twice(instrument, sink):
    trades = tape(DAY, [100.0] * 13)
    for _ in range(2):
        commit(sink, confirmed(closed(trades)), trades=trades, minutes=closed(trades))

    assert bits(instrument) == ([0, 1], [])
    assert CandleCheck.objects.count() == 1


def test_a_flat_minute_is_verified_by_a_candle_without_volume(instrument):
    ours = minutes(DAY, [100.0, 100.0], source=Source.FLAT)
    write_candles(instrument, ours, reason="test")

    check(instrument, confirmed(ours, volume=[0.0, 0.5]))

    assert bits(instrument) == ([0], [1])
