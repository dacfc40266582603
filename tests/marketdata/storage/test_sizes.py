"""How much lies in which table is told for plain tables and for partitioned ones."""

from __future__ import annotations

import pytest
from django.db import connection

from marketdata.domain.raw import RawChannel, RawMessage
from marketdata.models import from_ms
from marketdata.storage import write_candles
from marketdata.storage.raw import RawWriter
from marketdata.storage.sizes import storage_by_table
from marketdata.storage.trades import write_trades
from tests.marketdata.storage.builders import DAY, make_instrument, minutes, tape

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_tables(db):
    """Begin without the dead rows of other tests, by which a table looks large."""
    with connection.cursor() as cursor:
        cursor.execute("truncate marketdata_candle, marketdata_trade")


def sizes():
    return {one.what: one for one in storage_by_table()}


def test_empty_tables_have_no_rows_and_no_times():
    found = sizes()
    assert {one.rows for one in found.values()} == {0}
    assert {one.oldest for one in found.values()} == {None}


def test_rows_bytes_and_times_are_those_of_what_is_stored():
    market = make_instrument()
    write_candles(market, minutes(DAY, [10.0, 20.0, 30.0]), reason="test")
    with connection.cursor() as cursor:
        write_trades(cursor, market.pk, tape(DAY, [10.0, 20.0]))
    RawWriter("okx").write([RawMessage(RawChannel.TICKERS, "BTC-USDT", DAY, DAY, b"{}")])
    found = sizes()
    assert (found["candles"].rows, found["trades"].rows, found["tickers"].rows) == (3, 2, 1)
    for what in ("candles", "trades", "tickers"):
        assert found[what].bytes >= 16_384
        assert found[what].oldest == from_ms(DAY)
