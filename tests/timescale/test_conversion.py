"""`manage.py convert_to_timescale` converts a database in use, and goes on where it stopped."""

from __future__ import annotations

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from marketdata.domain.raw import RawChannel
from marketdata.models import Candle, CandleRow, RawMessage, Trade, TradeRow
from marketdata.storage.converting import convert, progress
from marketdata.storage.hypertables import HYPERTABLES
from marketdata.storage.partitions import partitions, prepare_days
from marketdata.storage.timescale import is_hypertable
from tests.timescale.rows import DAY, START, candle, instrument, message, trade

pytestmark = [pytest.mark.timescale, pytest.mark.slow, pytest.mark.timeout(120)]

CANDLES = HYPERTABLES[0]


def stored():
    """All rows, by table."""
    return [list(model.objects.order_by("pk").values()) for model in (Candle, Trade, RawMessage)]


@pytest.fixture
def filled(plain):
    """Candles of two instruments and two timeframes over half a year, trades, raw messages."""
    for coin in (instrument(), instrument("ETH-USDT")):
        for timeframe in (1, 60):
            opens = [START + number * 3 * DAY for number in range(60)]
            rows = [Candle(**candle(coin, open_time, timeframe)) for open_time in opens]
            Candle.objects.bulk_create(rows, batch_size=50)
        for number in range(5):
            Trade.objects.create(**trade(coin, START + number * DAY, id=number + 1))
    prepare_days(START.date(), 3)
    for number in range(3):
        at = START + number * DAY + timedelta(hours=23)
        RawMessage.objects.create(**message(coin, RawChannel.STATUS, at, id=number))
    return plain


def run(*options):
    told = StringIO()
    call_command("convert_to_timescale", *options, stdout=told)
    return told.getvalue()


def test_every_row_is_there_afterwards_and_the_views_still_answer(filled, settings):
    before = stored()
    settings.TIMESCALE = "off"
    with pytest.raises(CommandError, match="TCPD_TIMESCALE is off"):
        run()
    settings.TIMESCALE = "on"
    told = run("--dry-run")
    assert told.count("is to be converted") == 3
    assert all(int(size.replace(",", "")) >= 16_384 for size in re.findall(r"([\d,]+) bytes", told))
    assert not is_hypertable(CANDLES.table)

    told = run()

    assert stored() == before
    assert all(is_hypertable(one.table) for one in HYPERTABLES)
    assert "marketdata_candle: 240 rows" in told
    assert "done in" in told
    assert (CandleRow.objects.count(), TradeRow.objects.count()) == (240, 10)
    assert [one.day.day for one in partitions()] == [1, 2, 3]
    with connection.cursor() as cursor:
        cursor.execute("select indexname from pg_indexes where schemaname = 'public'")
        names = {name for (name,) in cursor.fetchall()}
    assert {"marketdata_candle_pkey", "raw_of_instrument"} <= names
    RawMessage.objects.create(**message(None, RawChannel.STATUS, START + 9 * DAY, id=99))
    assert run().count("is a hypertable of") == 3


def test_an_interrupted_conversion_goes_on_and_nothing_is_written_meanwhile(filled):
    before = stored()
    with connection.cursor() as cursor:
        cursor.execute("create extension timescaledb")
    steps = convert(CANDLES)
    first = next(steps)
    steps.close()
    assert not is_hypertable(CANDLES.table)
    assert 0 < first < 240
    assert progress(CANDLES).copied == first
    assert f"{240 - first} rows are left" in run("--dry-run")
    with pytest.raises(OperationalError, match="is being made a hypertable"):
        Candle.objects.all().update(revision=1)
    assert stored() == before

    run()

    assert stored() == before
    Candle.objects.all().update(revision=1)
