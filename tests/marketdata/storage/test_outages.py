"""A database that goes away, a lease that is lost, two writers at once."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, connections, transaction

from marketdata.collector.errors import LostLease, SinkUnavailable
from marketdata.domain.events import Hole, HoleCause
from marketdata.models import Collector, RefusedBatch, Trade
from marketdata.storage import DatabaseSink
from tests.marketdata.storage.builders import DAY, batch, make_instrument, minutes, tape
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sink():
    make_instrument()
    return DatabaseSink(None, "okx", None)


def terminate_this_session():
    """End this thread's database session from another one, as a restart of the server does."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        (pid,) = cursor.fetchone()

    def terminate():
        with connection.cursor() as cursor:
            cursor.execute("select pg_terminate_backend(%s, 5000)", [pid])
        connections.close_all()

    other = threading.Thread(target=terminate)
    other.start()
    other.join()


@pytest.mark.parametrize(
    "work",
    [
        lambda sink: sink.commit(batch(trades=tape(DAY, [100.0]))),
        lambda sink: sink.resume("BTC-USDT"),
        lambda sink: sink.today("BTC-USDT", DAY),
        lambda sink: sink.store_candles("BTC-USDT", minutes(DAY, [100.0]), "history"),
    ],
)
def test_after_a_broken_connection_the_same_call_succeeds(sink, work):
    work(sink)
    terminate_this_session()

    with pytest.raises(SinkUnavailable):
        work(sink)
    work(sink)

    assert Trade.objects.count() in (0, 1)


def test_a_writer_that_waits_too_long_for_another_reports_the_sink_unavailable(sink):
    held, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("lock table marketdata_trade in exclusive mode")
            held.set()
            done.wait(PATIENCE_S)
        connections.close_all()

    other = threading.Thread(target=hold)
    other.start()
    held.wait(PATIENCE_S)
    with connection.cursor() as cursor:
        cursor.execute("set lock_timeout = '50ms'")
    try:
        with pytest.raises(SinkUnavailable, match="lock timeout"):
            sink.commit(batch(trades=tape(DAY, [100.0])))
    finally:
        done.set()
        other.join()

    sink.commit(batch(trades=tape(DAY, [100.0])))
    assert Trade.objects.count() == 1


@pytest.mark.parametrize(
    "ending",
    [
        # The message of a server that ends the session while a statement arrives, ...
        "do $$ begin raise 'terminating connection' using errcode = '25P03'; end $$",
        # ... and a session that it really ends.
        "set local transaction_timeout = '20ms'; select pg_sleep(10)",
    ],
)
def test_a_session_that_the_server_ended_for_its_length_is_followed_by_another(sink, ending):
    def end_session(execute, _sql, params, many, context):
        return execute(ending, None, many, context)

    with connection.cursor() as cursor:
        cursor.execute("select 1")
    with connection.execute_wrapper(end_session), pytest.raises(SinkUnavailable):
        sink.commit(batch(trades=tape(DAY, [100.0])))
    assert connection.connection is None
    sink.commit(batch(trades=tape(DAY, [100.0])))

    assert Trade.objects.count() == 1


def test_a_session_that_ends_in_the_middle_of_a_batch_is_followed_by_another(sink):
    calls = []

    def end_session(execute, *call):
        calls.append(call)
        if len(calls) == 3:
            terminate_this_session()
        return execute(*call)

    with connection.execute_wrapper(end_session), pytest.raises(SinkUnavailable):
        sink.commit(batch(trades=tape(DAY, [100.0])))
    sink.commit(batch(trades=tape(DAY, [100.0])))

    assert Trade.objects.count() == 1


def test_a_value_the_table_refuses_is_no_outage_and_is_put_aside(sink):
    backwards = Hole(9, 5, DAY, DAY + 1, HoleCause.LOSS)
    sink.commit(batch(trades=tape(DAY, [100.0]), opened=(backwards,)))
    assert "gap_not_empty" in RefusedBatch.objects.get().error
    assert not Trade.objects.exists()


def test_a_take_over_waits_for_the_batch_that_has_passed_the_fence():
    make_instrument()
    collector = Collector.objects.create(name="okx", exchange="okx", fencing_token=1)
    sink = DatabaseSink(collector.pk, "okx", 1)
    taken = threading.Event()

    def take_over():
        Collector.objects.filter(pk=collector.pk).update(fencing_token=2)
        taken.set()
        connections.close_all()

    other = threading.Thread(target=take_over)
    with transaction.atomic():
        sink.commit(batch(trades=tape(DAY, [100.0])))
        other.start()
        assert not taken.wait(0.3)
    other.join()

    assert taken.is_set()
    with pytest.raises(LostLease):
        sink.commit(batch(trades=tape(DAY, [100.0], first_id=2)))
    with pytest.raises(LostLease):
        sink.store_candles("BTC-USDT", minutes(DAY, [100.0]), "history")
    assert Trade.objects.count() == 1


def test_two_writers_of_the_same_trades_store_them_once(sink):
    trades = tape(DAY, [100.0] * 500, step_ms=100)
    start = threading.Barrier(2)
    errors = []

    def write(offset):
        own = DatabaseSink(None, "okx", None)
        start.wait(PATIENCE_S)
        try:
            for first in range(offset, 500, 25):
                own.commit(batch(trades=trades[first : first + 60]))
        except Exception as error:  # shown by the assertion below
            errors.append(error)
        own.close()

    threads = [threading.Thread(target=write, args=(offset,)) for offset in (0, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert Trade.objects.count() == 500
