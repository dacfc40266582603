"""Candles, trades and raw messages are hypertables where the extension is there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction

from marketdata.domain.raw import RawChannel
from marketdata.models import Candle, CandleRow, Instrument, RawMessage, Trade
from marketdata.storage.hypertables import HYPERTABLES
from marketdata.storage.partitions import drop, partitions, retire
from marketdata.storage.sizes import storage_by_table
from marketdata.storage.timescale import chunks, is_hypertable
from marketdata.storage.trade_chunks import drop_trade_chunks
from tests.timescale.rows import DAY, START, candle, instrument, message, trade

pytestmark = [pytest.mark.timescale, pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def database(migrated):
    yield migrated
    with connection.cursor() as cursor:
        cursor.execute("truncate marketdata_candle, marketdata_trade, marketdata_rawmessage")
    Instrument.objects.all().delete()


def asked(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


@pytest.mark.parametrize("hypertable", HYPERTABLES, ids=lambda one: one.table)
def test_a_migrated_table_is_cut_and_compressed_as_it_is_described(database, hypertable):
    assert is_hypertable(hypertable.table)
    (interval,) = asked(
        "select time_interval from timescaledb_information.dimensions"
        " where hypertable_name = %s and dimension_number = 1",
        hypertable.table,
    )[0]
    assert interval == hypertable.chunk
    (segments, order) = asked(
        "select segmentby, orderby from timescaledb_information.hypertable_compression_settings"
        " where hypertable = %s::regclass",
        hypertable.table,
    )[0]
    assert segments == hypertable.segment_by.replace(", ", ",")
    assert order.lower().replace(" nulls first", "").startswith(hypertable.time)
    (config,) = asked(
        "select config ->> 'compress_after' from timescaledb_information.jobs"
        " where hypertable_name = %s",
        hypertable.table,
    )[0]
    days = hypertable.compress_after.days
    assert config == f"{days} days"


def test_keys_and_views_are_those_of_plain_tables(database):
    names = {name for (name,) in asked("select indexname from pg_indexes")}
    assert {"marketdata_candle_pkey", "marketdata_trade_pkey"} <= names
    assert {"marketdata_rawmessage_pkey", "raw_of_instrument"} <= names
    Candle.objects.create(**candle(instrument(), START))
    assert CandleRow.objects.get().close == 2.0


def test_an_upsert_meets_its_key_on_open_and_on_compressed_chunks(database):
    coin = instrument()
    rows = [Candle(**candle(coin, START + timedelta(minutes=n))) for n in range(200)]
    Candle.objects.bulk_create(rows, batch_size=100)
    compress("marketdata_candle")
    for row in rows:
        row.close = 1.5
    Candle.objects.bulk_create(
        rows[:100],
        batch_size=50,
        update_conflicts=True,
        unique_fields=["instrument", "timeframe", "open_time"],
        update_fields=["close"],
    )
    closes = Candle.objects.order_by("open_time").values_list("close", flat=True)
    assert list(closes) == [1.5] * 100 + [2.0] * 100


def test_a_late_change_of_many_compressed_candles_needs_the_limit_lifted(database):
    coin = instrument()
    many = (
        "insert into marketdata_candle (open_time, open, high, low, close, volume, quote_volume,"
        " trade_count, first_trade_id, last_trade_id, closed_at, instrument_id, revision,"
        " timeframe, minutes, source) select timestamptz '2024-01-04 00:00Z' + n * interval '1 s',"
        " 1, 1, 1, 1, 1, 1, 1, 1, 1, now(), %s, 0, 1, 1, 0 from generate_series(1, 110000) n"
    )
    with connection.cursor() as cursor:
        cursor.execute(many, [coin.pk])
    compress("marketdata_candle")
    stretch = Candle.objects.filter(instrument=coin, timeframe=1)
    with pytest.raises(OperationalError, match="tuple decompression limit"), transaction.atomic():
        stretch.update(revision=1)
    lifted = "timescaledb.max_tuples_decompressed_per_dml_transaction"
    # As settings.DATABASES does for every connection of ours; this server knows no such options.
    assert f"-c {lifted}=0" in settings.DATABASES["default"]["OPTIONS"]["options"]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"set local {lifted} = 0")
        assert stretch.update(revision=1) == 110_000


def test_every_channel_and_day_of_raw_messages_goes_as_a_whole(database):
    coin = instrument()
    for channel in (RawChannel.TICKERS, RawChannel.BOOKS):
        for day in range(3):
            RawMessage.objects.create(**message(coin, channel, START + day * DAY, id=day))
    compress("marketdata_rawmessage")
    found = [(one.channel, one.day.day) for one in partitions()]
    assert found == [
        *((RawChannel.BOOKS, day) for day in (1, 2, 3)),
        *((RawChannel.TICKERS, day) for day in (1, 2, 3)),
    ]
    retired = retire(partitions()[0])
    assert retired.table == "marketdata_rawmessage_books_20240101_retired"
    assert asked(f"select count(*) from {retired.table}") == [(1,)]
    assert RawMessage.objects.filter(channel=RawChannel.BOOKS).count() == 2
    assert retired.table in [one.table for one in partitions()]
    drop(retired)
    assert len(partitions()) == 5
    assert RawMessage.objects.filter(channel=RawChannel.TICKERS).count() == 3


def test_a_day_of_trades_goes_as_a_chunk_once_no_instrument_needs_it(database):
    coins = [instrument(), instrument("ETH-USDT")]
    for coin in coins:
        for day in range(3):
            Trade.objects.create(**trade(coin, START + day * DAY, id=day + 1))
    compress("marketdata_trade")
    end = START + 2 * DAY
    assert drop_trade_chunks(end, lambda one: one.instrument == coins[1]) == 0
    assert Trade.objects.count() == 6
    assert drop_trade_chunks(end, lambda _: False) == 2
    assert [row.executed_at for row in Trade.objects.all()] == [end, end]
    assert len(chunks("marketdata_trade")) == 1


def test_sizes_count_the_chunks(database):
    coin = instrument()
    Candle.objects.create(**candle(coin, START))
    RawMessage.objects.create(**message(coin, RawChannel.TICKERS, START, id=1))
    sizes = {one.what: one for one in storage_by_table()}
    for what in ("candles", "tickers"):
        assert (sizes[what].rows, sizes[what].oldest) == (1, START)
        assert sizes[what].bytes >= 16_384
    assert sizes["trades"].rows == 0


def compress(table):
    asked("select compress_chunk(chunk) from show_chunks(%s) chunk", table)
    assert all(chunk.is_compressed for chunk in chunks(table))
