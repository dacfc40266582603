"""A range that a person has locked stays as it is, and what was refused is told."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketdata.collector.ports import Batch, InstrumentBatch
from marketdata.domain.events import Emission
from marketdata.domain.records import Source
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import Candle, CandleConflict, CandleRevision, RangeLock, from_ms
from marketdata.services import lock_range
from marketdata.storage import DatabaseSink, WriteResult, read_candles, write_candles
from marketdata.storage.locks import lock_instrument
from tests.marketdata.storage.builders import DAY, closed, make_instrument, minutes, tape
from tests.patience import PATIENCE_S, until

pytestmark = pytest.mark.django_db


@pytest.fixture
def instrument():
    return make_instrument()


def lock(instrument, first, end):
    """Lock the minutes from number `first` up to before `end`."""
    return RangeLock.objects.create(
        instrument=instrument,
        start=from_ms(DAY + first * MINUTE_MS),
        end=from_ms(DAY + end * MINUTE_MS),
        reason="settled with the exchange",
    )


def closes(instrument):
    return read_candles(instrument, Timeframe.M1, DAY, DAY + DAY_MS)["close"].tolist()


def test_a_locked_minute_is_not_changed_and_the_refused_candle_is_kept(instrument):
    write_candles(instrument, minutes(DAY, [100.0] * 4, source=Source.EXCHANGE), reason="test")
    lock(instrument, 1, 3)
    better = minutes(DAY, [200.0, 100.0, 200.0, 200.0], source=Source.TRADES)
    better[1:2] = minutes(DAY + MINUTE_MS, [100.0], source=Source.EXCHANGE)

    written = write_candles(instrument, better, reason="repair")

    assert written == WriteResult(changed=2, unchanged=1, locked=1)
    assert closes(instrument) == [200.0, 100.0, 100.0, 200.0]
    conflict = CandleConflict.objects.get()
    assert (conflict.kind, conflict.open_time) == ("locked", from_ms(DAY + 2 * MINUTE_MS))
    assert (conflict.our_close, conflict.their_close) == (100.0, 200.0)
    assert conflict.their_source == Source.TRADES
    assert not CandleRevision.objects.filter(timeframe=1, open_time=conflict.open_time).exists()


@pytest.mark.django_db(transaction=True)
def test_a_lock_waits_for_the_write_that_is_under_way():
    """What is written after a lock is stored keeps to it, and so does what looked just before."""
    instrument = make_instrument()
    person = get_user_model().objects.create_user("ann")
    span = {"start": from_ms(DAY), "end": from_ms(DAY + MINUTE_MS)}
    new = RangeLock(instrument=instrument, reason="settled", **span)
    waiting = threading.Event()

    def make():
        waiting.set()
        lock_range(new, person)
        connection.close()

    thread = threading.Thread(target=make)
    with transaction.atomic(), connection.cursor() as cursor:
        lock_instrument(cursor, instrument.pk)
        thread.start()
        waiting.wait(PATIENCE_S)
        until(lambda: is_waited_for(cursor) or not thread.is_alive(), "the lock to be waited for")
        assert thread.is_alive()
        assert not RangeLock.objects.exists()
    thread.join(PATIENCE_S)
    assert RangeLock.objects.get().made_by == person


def is_waited_for(cursor):
    cursor.execute(
        "select exists (select 1 from pg_locks where locktype = 'advisory' and not granted)"
    )
    return cursor.fetchone()[0]


def test_nothing_is_inserted_into_a_locked_range(instrument):
    write_candles(instrument, minutes(DAY, [100.0]), reason="test")
    lock(instrument, 1, 2)

    written = write_candles(instrument, minutes(DAY, [100.0] * 3), reason="history")

    assert written == WriteResult(inserted=1, unchanged=1, locked=1)
    opens = read_candles(instrument, Timeframe.M1, DAY, DAY + DAY_MS)["open_time_ms"]
    assert opens.tolist() == [DAY, DAY + 2 * MINUTE_MS]
    assert CandleConflict.objects.get().our_close is None


def test_a_write_of_locked_minutes_alone_changes_nothing_and_may_be_repeated(instrument):
    write_candles(instrument, minutes(DAY, [100.0] * 2, source=Source.EXCHANGE), reason="test")
    lock(instrument, 0, 2)
    refused = minutes(DAY, [200.0] * 2, source=Source.EXCHANGE)

    for _ in range(2):
        assert write_candles(instrument, refused, reason="history") == WriteResult(locked=2)

    assert closes(instrument) == [100.0, 100.0]
    assert CandleConflict.objects.count() == 2


def test_the_collector_s_batch_is_stored_around_a_lock(instrument):
    trades = tape(DAY, [100.0] * 6 + [101.0] * 6 + [102.0] * 7)
    part = np.delete(trades, [2, 8])
    sink = DatabaseSink(None, "okx", None)
    store = {"trades": part, "minutes": closed(part)}
    sink.commit(Batch((InstrumentBatch("BTC-USDT", Emission(**store), DAY),)))
    lock(instrument, 0, 1)

    late = Emission(trades=trades[[2, 8]], rebuild=(DAY, DAY + MINUTE_MS))
    sink.commit(Batch((InstrumentBatch("BTC-USDT", late, DAY),)))

    stored = read_candles(instrument, Timeframe.M1, DAY, DAY + DAY_MS)
    assert stored["volume"].tolist() == [2.5, 3.0, 3.0]
    assert CandleConflict.objects.get().their_volume == 3.0


def test_a_flat_minute_in_a_lock_does_not_follow_a_close_that_is_revised(instrument):
    flats = minutes(DAY + MINUTE_MS, [100.0] * 2, source=Source.FLAT)
    write_candles(instrument, np.concatenate([minutes(DAY, [100.0]), flats]), reason="test")
    write_candles(instrument, minutes(DAY + 3 * MINUTE_MS, [103.0]), reason="test")
    lock(instrument, 1, 2)
    revised = minutes(DAY, [101.0])
    revised["trade_count"] = 1

    write_candles(instrument, revised, reason="late trade")

    assert closes(instrument) == [101.0, 100.0, 101.0, 103.0]


def test_what_was_refused_is_settled_when_it_is_written_after_the_lock(instrument):
    write_candles(instrument, minutes(DAY, [100.0] * 3, source=Source.EXCHANGE), reason="test")
    held = lock(instrument, 1, 2)
    corrected = minutes(DAY + MINUTE_MS, [200.0], source=Source.EXCHANGE)
    write_candles(instrument, corrected, reason="history")

    held.delete()
    assert write_candles(instrument, corrected, reason="history").changed == 1

    conflict = CandleConflict.objects.get()
    assert (conflict.state, conflict.how) == ("settled", "written after the lock had ended")


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    locks=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4)), min_size=1, max_size=3),
    writes=st.lists(
        st.tuples(st.integers(0, 9), st.integers(1, 6), st.sampled_from(Source), st.integers(1, 9)),
        max_size=6,
    ),
)
def test_no_write_reaches_a_locked_minute(instrument, locks, writes):
    for model in (Candle, CandleRevision, CandleConflict, RangeLock):
        model.objects.all().delete()
    write_candles(instrument, minutes(DAY, [100.0] * 10, source=Source.IMPORTED), reason="test")
    is_locked = np.zeros(20, dtype=bool)
    for first, number in locks:
        lock(instrument, first, first + number)
        is_locked[first : first + number] = True

    for first, number, source, close in writes:
        start_ms = DAY + first * MINUTE_MS
        incoming = minutes(start_ms, [100.0 + close] * number, source=source)
        written = write_candles(instrument, incoming, reason="any")
        total = written.inserted + written.changed + written.unchanged + written.locked
        assert total == number

    stored = read_candles(instrument, Timeframe.M1, DAY, DAY + DAY_MS)
    place = (stored["open_time_ms"] - DAY) // MINUTE_MS
    held = stored[is_locked[place]]
    assert (place[is_locked[place]] < 10).all()
    assert set(held["close"].tolist()) == {100.0}
    assert set(held["revision"].tolist()) == {0}
