"""Arrays go into a table and come out of it as they were."""

from __future__ import annotations

import numpy as np
import pytest
from django.db import IntegrityError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from psycopg2 import sql

from marketdata.domain.records import CANDLE_DTYPE
from marketdata.domain.timeframe import Timeframe
from marketdata.models import Candle, to_ms
from marketdata.storage.candles import read_candles, read_last_candles, select_bounds
from marketdata.storage.copying import (
    FLOAT8,
    INT2,
    INT4,
    INT8,
    copy_in,
    copy_out,
    milliseconds,
    row_layout,
    timestamps,
)
from marketdata.storage.rows import CANDLE_WRITE, candle_columns
from tests.marketdata.storage.builders import DAY, make_instrument, minutes

pytestmark = pytest.mark.django_db

FORMATS = {"small": INT2, "medium": INT4, "big": INT8, "real": FLOAT8}


@pytest.fixture
def table():
    with connection.cursor() as cursor:
        cursor.execute(
            "create temp table copied (small int2, medium int4, big int8, real float8, word text)"
            " on commit drop"
        )
        yield cursor


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), number=st.integers(0, 5))
def test_every_value_of_every_type_survives(table, data, number):
    columns = {
        name: data.draw(arrays.arrays(np.dtype(form).newbyteorder("="), number))
        for name, form in FORMATS.items()
    }
    table.execute("truncate copied")

    copy_in(table, "copied", row_layout(FORMATS), number, columns)
    query = sql.SQL("select small, medium, big, real from copied")
    rows = copy_out(table, row_layout(FORMATS), query, np.copy)

    for name, values in columns.items():
        assert rows[name].astype(values.dtype).tobytes() == values.tobytes()


def test_more_rows_than_a_block_arrive_in_order_with_their_constants(table):
    layout = row_layout({"big": INT8, "small": INT2, "word": "S5"})

    copy_in(table, "copied", layout, 7_001, {"big": np.arange(7_001), "small": 7, "word": b"hello"})

    table.execute("select count(*), sum(big), min(small), min(word), max(word) from copied")
    assert table.fetchone() == (7_001, 7_001 * 3_500, 7, "hello", "hello")
    layout = row_layout({"big": INT8})
    query = sql.SQL("select big from copied order by big")
    assert copy_out(table, layout, query, lambda rows: rows)["big"].tolist() == list(range(7_001))


def test_times_of_every_age_become_timestamps_and_back():
    time_ms = np.array([0, 946_684_799_999, 946_684_800_000, 1_790_000_000_123])

    assert milliseconds(timestamps(time_ms)).tolist() == time_ms.tolist()


def test_candles_are_the_same_by_copy_and_by_model():
    instrument = make_instrument()
    candles = minutes(DAY, [100.0, 101.5])
    candles["closed_at_ms"] = DAY + 60_123
    candles["revision"] = 3
    with connection.cursor() as cursor:
        columns = candle_columns(instrument.pk, Timeframe.M1, candles)
        copy_in(cursor, "marketdata_candle", CANDLE_WRITE, 2, columns)

    row = Candle.objects.order_by("open_time").last()

    assert (to_ms(row.open_time), row.close, row.revision) == (DAY + 60_000, 101.5, 3)
    assert to_ms(row.closed_at) == DAY + 60_123
    assert row.instrument == instrument
    assert np.array_equal(read_candles(instrument, Timeframe.M1, DAY, DAY + 120_000), candles)
    assert read_candles(instrument, Timeframe.M1, DAY, DAY).dtype == CANDLE_DTYPE


def test_the_last_candles_come_in_order_and_end_before_a_time():
    instrument = make_instrument()
    candles = minutes(DAY, [100.0, 101.0, 102.0, 103.0])
    with connection.cursor() as cursor:
        columns = candle_columns(instrument.pk, Timeframe.M1, candles)
        copy_in(cursor, "marketdata_candle", CANDLE_WRITE, 4, columns)
        bounds = select_bounds(cursor, instrument.pk, Timeframe.M1)

    assert bounds == (DAY, DAY + 180_000)
    assert read_last_candles(instrument, Timeframe.M1, 2)["close"].tolist() == [102.0, 103.0]
    before = read_last_candles(instrument, Timeframe.M1, 2, DAY + 120_000)
    assert before["close"].tolist() == [100.0, 101.0]
    assert len(read_last_candles(instrument, Timeframe.D1, 2)) == 0


def test_an_impossible_candle_is_refused_by_the_database():
    candles = minutes(DAY, [100.0])
    candles["high"] = 99

    columns = candle_columns(1, Timeframe.M1, candles)
    with connection.cursor() as cursor, pytest.raises(IntegrityError, match="candle_shape"):
        copy_in(cursor, "marketdata_candle", CANDLE_WRITE, 1, columns)
