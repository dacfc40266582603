"""Minutes from the cache of columns: what the database holds, whatever happened to the files."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from django.db import connections

from backtests.domain.market import MarketMinutes
from backtests.domain.units import Units
from backtests.loading import load_minutes
from backtests.storage.columns import ColumnCache, Entry
from marketdata.domain.columns import COLUMN_TYPES, CandleColumns
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.storage import read_candles, write_candles
from tests.marketdata.api.conftest import START_MS, make_instrument, minutes

COUNT = 3 * 1440


@pytest.fixture(autouse=True)
def _own_folder(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    settings.COLUMN_CACHE_MB = 100


@pytest.fixture
def btc(db):
    instrument = make_instrument("BTC-USDT")
    write_candles(instrument, minutes(COUNT), reason="test")
    return instrument


def load(btc, start_ms=START_MS, end_ms=START_MS + 3 * DAY_MS):
    return load_minutes(btc, start_ms, end_ms)


def stored(btc, start_ms=START_MS, end_ms=START_MS + 3 * DAY_MS):
    candles = CandleColumns.of(read_candles(btc, Timeframe.M1, start_ms, end_ms))
    return MarketMinutes.of(candles, Units.of(btc.spec))


def assert_same(one, other):
    for name in COLUMN_TYPES:
        assert one.candles[name].tobytes() == other.candles[name].tobytes(), name
    for name in ("opens", "highs", "lows", "closes", "traded"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name


def entries(tmp_path):
    return sorted(path for path in (tmp_path / "columns").iterdir() if path.is_dir())


def test_the_first_and_every_later_load_tell_what_is_stored(btc, tmp_path):
    assert_same(load(btc), stored(btc))
    assert_same(load(btc), stored(btc))
    assert len(entries(tmp_path)) == 1
    span = START_MS + 90 * MINUTE_MS, START_MS + 2000 * MINUTE_MS
    assert_same(load(btc, *span), stored(btc, *span))
    assert len(load(btc, *span)) == 1910


def test_a_loaded_year_is_not_read_again(btc, django_assert_num_queries):
    load(btc)
    with django_assert_num_queries(2) as queries:
        load(btc)
    assert not any("marketdata_candle " in query["sql"] for query in queries)


def test_a_revision_is_never_missed(btc, tmp_path):
    load(btc)
    changed = minutes(COUNT)[1500:1501]
    changed["close"] += 0.5
    changed["revision"] = 1
    write_candles(btc, changed, reason="test")
    after = load(btc)
    assert_same(after, stored(btc))
    assert after.candles.close[1500] == changed["close"][0]
    assert len(entries(tmp_path)) == 1


def test_days_that_came_later_are_added(btc):
    load(btc)
    write_candles(btc, minutes(COUNT + 100)[COUNT:], reason="test")
    end_ms = START_MS + 4 * DAY_MS
    assert_same(load(btc, end_ms=end_ms), stored(btc, end_ms=end_ms))
    assert len(load(btc, end_ms=end_ms)) == COUNT + 100


def test_years_are_put_together(btc):
    start_ms = 1_767_225_600_000 - DAY_MS  # 2025-12-31
    write_candles(btc, minutes(2 * 1440, start_ms=start_ms), reason="test")
    span = start_ms + 60 * MINUTE_MS, start_ms + 2 * DAY_MS
    assert_same(load(btc, *span), stored(btc, *span))


def test_an_instrument_without_candles_has_no_minutes(db):
    assert len(load(make_instrument("ETH-USDT"))) == 0


@pytest.mark.parametrize("damage", ["cut", "zeroed", "gone", "no json", "other format"])
def test_damaged_files_are_made_anew(btc, tmp_path, damage):
    load(btc)
    (entry,) = entries(tmp_path)
    file = entry / "close.npy"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:5000])
    elif damage == "zeroed":
        content = bytearray(file.read_bytes())
        content[4096:8192] = bytes(4096)
        file.write_bytes(content)
    elif damage == "gone":
        file.unlink()
    elif damage == "no json":
        (entry / "manifest.json").write_text("{")
    else:
        (entry / "manifest.json").write_text('{"format": 0}')
    assert_same(load(btc), stored(btc))
    assert_same(load(btc), stored(btc))


def test_columns_in_use_outlive_their_files(btc, tmp_path):
    held = load(btc)
    expected = stored(btc)
    changed = minutes(COUNT)[:1]
    changed["close"] += 0.5
    changed["revision"] = 1
    write_candles(btc, changed, reason="test")
    load(btc)
    assert_same(held, expected)


def test_writing_to_loaded_columns_changes_no_file(btc):
    load(btc).candles.close[:] = 0
    assert_same(load(btc), stored(btc))


def test_the_folder_keeps_its_size(tmp_path):
    cache = ColumnCache(tmp_path / "columns", 250_000)
    for number in range(5):
        cache.keep(f"subject {number}", Entry({"a": np.zeros(10_000)}, {0: 1}))
    kept = [number for number in range(5) if cache.find(f"subject {number}", {0: 1})]
    assert kept == [2, 3, 4]


def test_a_folder_that_cannot_be_written_costs_only_time(btc, settings, tmp_path):
    (tmp_path / "columns").write_text("a file in the way")
    assert_same(load(btc), stored(btc))


@pytest.mark.django_db(transaction=True)
def test_readers_beside_a_writer_see_only_whole_states():
    btc = make_instrument("BTC-USDT")
    write_candles(btc, minutes(COUNT), reason="test")
    faults, ended = [], threading.Event()

    def read():
        try:
            while not ended.is_set():
                closes = load(btc).candles.close
                # Every write adds the same to both of two far candles.
                if abs(closes[4000] - closes[10] - 3990) > 1e-6:
                    faults.append((closes[10], closes[4000]))
        finally:
            connections.close_all()

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1, 13):
        changed = minutes(COUNT)[[10, 4000]]
        changed["close"] += 0.05 * number
        changed["revision"] = number
        write_candles(btc, changed, reason="test")
    ended.set()
    for reader in readers:
        reader.join(10)
    assert faults == []
    assert_same(load(btc), stored(btc))
