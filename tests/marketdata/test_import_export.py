"""Candles from files and back: all of a file or nothing of it."""

from __future__ import annotations

import gzip
import json
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from marketdata.domain.aggregation import resample
from marketdata.domain.records import Source
from marketdata.domain.timeframe import HIGHER_TIMEFRAMES, Timeframe
from marketdata.loading.candle_files import (
    HEADER,
    InvalidFile,
    csv_pieces,
    json_pieces,
    parse_candles,
)
from marketdata.models import Candle, CandleDay, CandleRevision, Instrument
from marketdata.storage import read_candles
from tests.marketdata.storage.builders import DAY, minutes

SMALL = f"""open_time_ms,open,high,low,close,volume
{DAY},100.5,101,99.75,100,1.25
{DAY + 60_000},100,100,100,100,0
"""


def run(command, *args, **options):
    out = StringIO()
    call_command(command, *args, **options, stdout=out)
    return out.getvalue()


def test_a_candle_that_was_still_forming_is_left_out_and_lines_keep_their_numbers():
    header, first, second = SMALL.splitlines()
    marked = f"{header},closed\n{first},1\n{second},0\n"
    assert parse_candles(marked).candles["open_time_ms"].tolist() == [DAY]
    with pytest.raises(InvalidFile, match="line 2: there is no candle in the file"):
        parse_candles(f"{header},closed\n{first},0\n")
    with pytest.raises(InvalidFile, match="line 4: open is not a number: 'x'"):
        parse_candles(f"{header},closed\n{first},0\n{second},1\n{DAY + 120_000},x,1,1,1,1,1\n")


def load(path, **options):
    return run(
        "import_candles",
        str(path),
        exchange="binance",
        symbol="BTC-USDT",
        timeframe="1m",
        **options,
    )


def test_a_csv_file_becomes_candles_and_says_what_was_guessed():
    loaded = parse_candles(SMALL)

    assert loaded.candles["open"].tolist() == [100.5, 100.0]
    assert loaded.candles["source"].tolist() == [Source.IMPORTED] * 2
    assert loaded.candles["trade_count"].tolist() == [-1, -1]
    assert loaded.candles["quote_volume"].tolist() == [1.25 * (101 + 99.75 + 100) / 3, 0.0]
    assert loaded.is_quote_estimated
    assert (str(loaded.tick_size), str(loaded.lot_size)) == ("0.01", "0.01")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("1704067320000,1,1,1,1", "line 4: expected 6 fields, found 5"),
        ("1704067320000,1,1,1,x,1", "line 4: close is not a number: 'x'"),
        ("1704067320000.5,1,1,1,1,1", "line 4: open_time_ms is not a whole number"),
        ("1704067320000,1,1,1,,1", "line 4: close is not a number: ''"),
        ("1704067320000,1,1,1,nan,1", "line 4: close is not a price above zero"),
        ("1704067320000,1,1,1,1,-1", "line 4: volume is not a number from zero up"),
        ("1704067320000,5,4,3,4,1", "line 4: high is below open"),
        ("1704067320001,1,1,1,1,1", "line 4: open time is not on the grid of 1m"),
        (f"{DAY + 60_000},1,1,1,1,1", "line 4: open time is the same as in the row before"),
        (f"{DAY},1,1,1,1,1", "line 4: open time is earlier than in the row before"),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_reason(line, error):
    with pytest.raises(InvalidFile) as raised:
        parse_candles(SMALL + line + "\n")

    assert error in str(raised.value)


def test_an_empty_line_among_others_is_an_error():
    with pytest.raises(InvalidFile, match="line 2: expected 6 fields, found 1"):
        parse_candles(SMALL.replace("volume\n", "volume\n\n"))


def test_twenty_errors_are_spelt_out_and_all_are_counted():
    lines = [f"{DAY + row * 60_000},1,1,1,zero,1" for row in range(30)]

    with pytest.raises(InvalidFile) as raised:
        parse_candles("open_time_ms,open,high,low,close,volume\n" + "\n".join(lines))

    text = str(raised.value).splitlines()
    assert len(text) == 21
    assert text[0] == "30 errors in the file, the first 20 of them:"
    assert text[-1] == "line 21: close is not a number: 'zero'"
    assert len(raised.value.errors) == 30


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "open_time_ms,open,high,low,close,volume\n"])
def test_a_file_without_header_or_candles_is_refused(text):
    with pytest.raises(InvalidFile):
        parse_candles(text)


def test_columns_may_come_in_any_order_with_strange_ones_between():
    text = f"note,volume,close,low,high,open,open_time_ms\nx,2,100,99,101,100,{DAY}\n"

    (candle,) = parse_candles(text).candles

    assert (candle["open"], candle["high"], candle["volume"]) == (100.0, 101.0, 2.0)


def test_what_is_written_as_csv_is_read_back_to_the_last_digit():
    random = np.random.default_rng(3)
    candles = minutes(DAY, np.round(random.uniform(0.0001, 70_000, 500), 8))
    candles["quote_volume"] = random.uniform(0, 1e9, 500)
    candles["trade_count"] = random.integers(-1, 1 << 40, 500)

    back = parse_candles("".join(csv_pieces(candles))).candles

    for name in HEADER:
        assert np.array_equal(back[name], candles[name]), name


def test_json_holds_a_column_for_each_name():
    candles = minutes(DAY, [100.0, 101.5])

    content = json.loads("".join(json_pieces(candles)))

    assert list(content) == list(HEADER)
    assert content["open_time_ms"] == [DAY, DAY + 60_000]
    assert content["close"] == [100.0, 101.5]


@pytest.mark.django_db
def test_an_import_stores_minutes_and_higher_candles_and_repeats_without_effect(tmp_path):
    candles = minutes(DAY, np.linspace(100, 200, 3000).round(2), source=Source.IMPORTED)
    path = tmp_path / "candles.csv.gz"
    path.write_bytes(gzip.compress("".join(csv_pieces(candles)).encode()))

    output = load(path, tick_size="0.01", lot_size="0.001")

    assert "3,000 candles inserted" in output
    instrument = Instrument.objects.named("binance", "BTC-USDT")
    assert (str(instrument.tick_size.normalize()), instrument.base) == ("0.01", "BTC")
    stored = read_candles(instrument, Timeframe.M1, 0, DAY * 2)
    assert np.array_equal(stored["close"], candles["close"])
    for timeframe in HIGHER_TIMEFRAMES:
        expected = resample(candles, timeframe, instrument.spec)
        expected = expected[expected["open_time_ms"] + timeframe.ms <= DAY + 3000 * 60_000]
        higher = read_candles(instrument, timeframe, 0, DAY * 2)
        assert len(expected) == len(higher) > 0
        assert np.array_equal(higher["volume"], expected["volume"])
    versions = list(CandleDay.objects.order_by("pk").values_list())

    output = load(path)

    assert "0 candles inserted, 0 changed, 3,000 left as they were" in output
    assert list(CandleDay.objects.order_by("pk").values_list()) == versions
    assert not CandleRevision.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_a_stopped_import_nothing_is_stored_and_the_next_stores_all(tmp_path):
    candles = minutes(DAY, [100.0] * 1440 * 60, source=Source.IMPORTED)
    path = tmp_path / "candles.csv"
    path.write_text("".join(csv_pieces(candles)))
    locked = []

    def stop_the_second(execute, sql, params, many, context):
        if "pg_advisory_xact_lock" in sql:
            locked.append(sql)
            if len(locked) == 2:
                raise OperationalError("terminating connection")
        return execute(sql, params, many, context)

    with (
        connection.execute_wrapper(stop_the_second),
        pytest.raises(CommandError, match="Nothing was stored"),
    ):
        load(path, tick_size="0.01", lot_size="0.001")
    assert len(locked) == 2, "it was stopped after a part was written"
    assert not Candle.objects.exists()
    assert not CandleDay.objects.exists()

    assert f"{len(candles):,} candles inserted, 0 changed" in load(path)
    assert Candle.objects.filter(timeframe=1).count() == len(candles)
    assert Candle.objects.filter(timeframe=1440).count() == 60


@pytest.mark.django_db
def test_a_file_with_one_bad_line_leaves_nothing_behind(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(SMALL + "oops\n")

    with pytest.raises(CommandError, match="line 4"):
        load(path)

    assert not Instrument.objects.exists()
    assert not Candle.objects.exists()


@pytest.mark.django_db
def test_a_dry_run_checks_and_stores_nothing(tmp_path):
    path = tmp_path / "small.csv"
    path.write_text(SMALL)

    assert "the file is sound" in load(path, dry_run=True)
    assert not Candle.objects.exists()


@pytest.mark.django_db
def test_an_export_imports_to_the_same_candles(tmp_path):
    first, second = tmp_path / "first.csv", tmp_path / "second.csv.gz"
    first.write_text(SMALL)
    assert "tick size of the new instrument taken from the data: 0.01" in load(first)
    where = {"exchange": "binance", "symbol": "BTC-USDT", "timeframe": "1m"}

    run("export_candles", **where, output=second)
    load(second)
    assert load(second).endswith("0 candles inserted, 0 changed, 2 left as they were\n")

    text = run("export_candles", "--start=2024-01-01T00:01", "--format=json", **where)
    assert json.loads(text)["open_time_ms"] == [DAY + 60_000]
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.django_db
def test_an_unknown_instrument_cannot_be_exported():
    with pytest.raises(CommandError, match="no instrument 'X' is known on 'okx'"):
        run("export_candles", exchange="okx", symbol="X", timeframe="1m")


@pytest.mark.slow
@pytest.mark.django_db
def test_a_year_of_real_candles_is_imported(shared_data):
    output = load(shared_data / "candles" / "BTCUSDT-1m-2024.csv.gz")

    assert "527,040 candles inserted" in output
    assert Candle.objects.filter(timeframe=1440).count() == 366
