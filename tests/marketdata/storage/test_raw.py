"""Raw messages lie in tables by channel and day, and never hold anything up."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, date, datetime

import pytest
from django.db import OperationalError, connection, transaction

from marketdata.collector.errors import LostLease
from marketdata.domain.raw import RawChannel, RawMessage, read_rates
from marketdata.domain.timeframe import DAY_MS
from marketdata.models import Collector, to_ms
from marketdata.models import RawMessage as RawRowModel
from marketdata.storage.locks import check_fence
from marketdata.storage.partitions import (
    Partition,
    drop,
    ensure_partitions,
    partitions,
    prepare_days,
    retire,
)
from marketdata.storage.raw import RawWriter, read_messages
from marketdata.storage.recording import LOST_MESSAGES, DatabaseRecorder
from marketdata.storage.sizes import storage_by_table
from tcpdashboard.common.models import Alert
from tests.marketdata.partitions import drop_partitions
from tests.marketdata.storage.builders import DAY, make_instrument
from tests.patience import PATIENCE_S, steadily, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_partitions_left(transactional_db):
    drop_partitions()
    yield
    drop_partitions()


def message(number=0, *, channel=RawChannel.TICKERS, symbol="BTC-USDT", at=None, payload=None):
    at = DAY + number * 1_000 if at is None else at
    return RawMessage(channel, symbol, at, at + 40, payload or b'{"last":"%d"}' % number)


def days(channel):
    return [one.day for one in partitions() if one.channel is channel and not one.is_retired]


def test_messages_come_back_as_they_were_sent():
    instrument = make_instrument()
    payload = '{"last":"1.50","ü":"ä\\"\\\\ \\n","n":[1,null,true,1.0]}'.encode()
    RawWriter("okx").write([message(1, payload=payload), message(2, symbol=None)])
    row = RawRowModel.objects.get(instrument=instrument)
    assert row.payload == json.loads(payload)
    assert (row.exchange, row.channel) == ("okx", "tickers")
    assert to_ms(row.exchange_time) == DAY + 1_000
    assert to_ms(row.received_at) == DAY + 1_040
    assert RawRowModel.objects.filter(instrument=None).count() == 1
    (read,) = read_messages(instrument, RawChannel.TICKERS, DAY, DAY + DAY_MS)
    assert (read.exchange_ms, json.loads(read.payload)) == (DAY + 1_000, json.loads(payload))


def test_each_channel_and_day_has_a_table_that_is_made_when_it_is_needed():
    make_instrument()
    RawWriter("okx").write(
        [message(), message(at=DAY + DAY_MS), message(channel=RawChannel.STATUS, symbol=None)]
    )
    assert days(RawChannel.TICKERS) == [date(2024, 1, 1), date(2024, 1, 2)]
    assert days(RawChannel.STATUS) == [date(2024, 1, 1)]
    assert days(RawChannel.BOOKS) == []


def test_the_next_days_tables_are_made_ahead_and_again_without_harm():
    for _ in range(2):
        prepare_days(date(2024, 2, 28), 3)
    assert days(RawChannel.BOOKS) == [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]


def test_many_writers_that_need_the_same_new_day_make_it_once():
    failures = []

    def make():
        try:
            ensure_partitions([(RawChannel.TICKERS, date(2024, 5, 1))])
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert days(RawChannel.TICKERS) == [date(2024, 5, 1)]


def test_a_day_that_retention_took_away_meanwhile_is_made_again():
    make_instrument()
    writer = RawWriter("okx")
    writer.write([message(1)])
    (partition,) = partitions()
    drop(retire(partition))
    writer.write([message(2)])
    assert RawRowModel.objects.count() == 1


def test_a_message_that_the_database_refuses_does_not_take_the_others_with_it():
    make_instrument()
    writer = RawWriter("okx")
    writer.write([message(1), message(2, payload=b'{"a":"\\u0000"}'), message(3)])
    assert RawRowModel.objects.count() == 2
    assert writer.refused == 1


def test_a_retired_day_is_read_by_nobody_and_only_such_a_day_can_be_dropped():
    make_instrument()
    RawWriter("okx").write([message(1)])
    (partition,) = partitions()
    with pytest.raises(ValueError, match="expected a retired partition"):
        drop(partition)
    retired = retire(partition)
    assert not RawRowModel.objects.exists()
    assert partitions() == [
        Partition(RawChannel.TICKERS, date(2024, 1, 1), retired.bytes, is_retired=True)
    ]


def test_retiring_waits_for_no_reader_for_long():
    make_instrument()
    RawWriter("okx").write([message(1)])
    (partition,) = partitions()
    reading, done = threading.Event(), threading.Event()

    def read():
        with transaction.atomic():
            assert RawRowModel.objects.count() == 1
            reading.set()
            done.wait(PATIENCE_S)
        connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    assert reading.wait(PATIENCE_S)
    try:
        with pytest.raises(OperationalError, match="lock timeout"):
            retire(partition)
    finally:
        done.set()
        reader.join()
    assert RawRowModel.objects.count() == 1


def test_a_query_of_an_instruments_hour_reads_one_partition_by_an_index():
    instrument = make_instrument()
    writer = RawWriter("okx")
    for day in range(3):
        at = DAY + day * DAY_MS
        writer.write([message(at=at + number * 1_000) for number in range(2_000)])
    with connection.cursor() as cursor:
        cursor.execute("analyze marketdata_rawmessage")
    start = datetime(2024, 1, 2, tzinfo=UTC)
    plan = (
        RawRowModel.objects.filter(
            channel="tickers",
            instrument=instrument,
            exchange_time__gte=start,
            exchange_time__lt=start.replace(minute=5),
        )
        .order_by("exchange_time", "id")
        .explain()
    )
    assert "Seq Scan" not in plan
    assert "20240102" in plan
    assert "20240101" not in plan


def test_the_recorder_stores_in_the_background_and_counts():
    make_instrument()
    recorder = DatabaseRecorder("okx")
    for number in range(2_500):
        recorder.record(message(number))
    recorder.close()
    assert RawRowModel.objects.count() == 2_500
    assert recorder.health() == {
        "kept": 2_500,
        "dropped": 0,
        "expired": 0,
        "refused": 0,
        "waiting": 0,
    }


def test_what_does_not_fit_is_dropped_counted_and_alerted_without_waiting():
    make_instrument()

    def is_dropped():
        RawRowModel.objects.all().delete()
        Alert.objects.all().delete()
        recorder = DatabaseRecorder("okx", queue_limit=10)
        begun = time.monotonic()
        for number in range(1_000):
            recorder.record(message(number))
        took_s = time.monotonic() - begun
        recorder.close()
        assert took_s < 0.5
        assert recorder.dropped == 990
        assert RawRowModel.objects.count() == 10
        alert = Alert.objects.get(kind=LOST_MESSAGES)
        assert alert.subject == "okx"
        assert "990 messages" in alert.message

    steadily(is_dropped, 0.3)


def test_the_recorder_survives_messages_that_nothing_can_be_done_with():
    make_instrument()
    recorder = DatabaseRecorder("okx")
    recorder.record(RawMessage(RawChannel.TICKERS, "BTC-USDT", None, None, b"{}"))
    until(lambda: recorder.dropped == 1)
    recorder.record(message(2))
    until(lambda: recorder.kept == 1)
    recorder.close()
    assert Alert.objects.open().get().kind == LOST_MESSAGES


def test_what_is_older_than_its_retention_is_not_stored_for_a_moment():
    make_instrument()
    recorder = DatabaseRecorder("okx")
    recorder.record(message(at=DAY))
    recorder.record(message(at=DAY - 15 * DAY_MS))
    recorder.record(message(at=DAY - 15 * DAY_MS, channel=RawChannel.STATUS, symbol=None))
    recorder.close()
    assert (recorder.kept, recorder.expired) == (2, 1)
    assert days(RawChannel.TICKERS) == [date(2024, 1, 1)]


def test_a_collector_that_lost_its_lease_records_nothing_more():
    make_instrument()
    row = Collector.objects.create(name="okx", exchange="okx", fencing_token=3)
    with pytest.raises(LostLease):
        RawWriter("okx", lambda cursor: check_fence(cursor, row.pk, 2)).write([message()])
    recorder = DatabaseRecorder("okx", collector_id=row.pk, fencing_token=2)
    recorder.record(message())
    recorder.close()
    recorder.record(message())
    assert not RawRowModel.objects.exists()


def test_while_the_table_is_locked_messages_wait_and_then_come():
    make_instrument()
    RawWriter("okx").write([message()])
    recorder = DatabaseRecorder("okx")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("lock table marketdata_rawmessage_tickers in access exclusive mode")
        recorder.record(message(1))
        time.sleep(1.2)
        assert recorder.kept == 0
    until(lambda: recorder.kept == 1)
    recorder.close()
    assert RawRowModel.objects.count() == 2


def test_sizes_name_every_kind_with_its_span_and_retention():
    make_instrument()
    RawWriter("okx").write([message(0), message(5)])
    sizes = {one.what: one for one in storage_by_table()}
    assert set(sizes) == {"trades", "openings", "candles", "revisions", *RawChannel}
    tickers = sizes["tickers"]
    assert (tickers.rows, tickers.keep_days) == (2, 14)
    assert tickers.bytes > 0
    assert (to_ms(tickers.oldest), to_ms(tickers.newest)) == (DAY, DAY + 5_000)
    assert (sizes["books"].rows, sizes["books"].oldest) == (0, None)
    assert (sizes["candles"].keep_days, sizes["trades"].keep_days) == (None, 365)


@pytest.mark.parametrize("text", ["tickers", "tickers=x", "klines=1", "tickers=-1"])
def test_rates_that_make_no_sense_are_refused_with_what_was_expected(text):
    with pytest.raises(ValueError, match="expected channel=seconds"):
        read_rates(text)


def test_rates_are_read_by_channel():
    assert read_rates("tickers=10, books=0.5") == {RawChannel.TICKERS: 10, RawChannel.BOOKS: 0.5}
    assert read_rates("") == {}
