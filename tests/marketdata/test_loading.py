"""Instruments and history come from the exchange, completely, however often it is tried."""

from __future__ import annotations

import json
import threading
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from django.db import connection
from django.db.models.functions import Now

from marketdata.collector.errors import ExchangeUnavailable
from marketdata.collector.ports import InstrumentInfo
from marketdata.domain.records import Source
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.loading.history import load_history, missing_days
from marketdata.loading.listing import Listing, store_instruments, sync_instruments
from marketdata.loading.turns import LOADS_AT_ONCE, due_histories
from marketdata.models import (
    Candle,
    CandleRevision,
    Collector,
    Instrument,
    from_ms,
)
from marketdata.storage import read_candles, write_candles
from tests.marketdata.api.conftest import make_instrument, minutes
from tests.simulated_exchange import spawned_exchange

BTC = InstrumentInfo(
    symbol="BTC-USDT",
    kind="spot",
    base="BTC",
    quote="USDT",
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.00000001"),
    min_size=Decimal("0.00001"),
    contract_value=Decimal(1),
    state="live",
    listed_ms=1_611_907_686_000,
)

ETH = replace(BTC, symbol="ETH-USDT", base="ETH")
SWAP = replace(BTC, symbol="BTC-USDT-SWAP", kind="swap")


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with spawned_exchange(tmp_path_factory.mktemp("exchange")) as exchange:
        yield exchange


@pytest.fixture
def simulated(exchange, settings):
    settings.EXCHANGE = "okx-sim"
    settings.OKX_REST_URL = exchange.rest
    settings.HISTORY_DAYS = 3
    return exchange


@pytest.mark.django_db
def test_a_listing_is_stored_once_and_then_only_followed():
    assert store_instruments("okx-sim", [BTC]) == Listing(added=1, changed=0, gone=0)
    assert store_instruments("okx-sim", [BTC]) == Listing(added=0, changed=0, gone=0)
    assert store_instruments("okx-sim", [ETH]) == Listing(added=1, changed=0, gone=1)
    assert Instrument.objects.named("okx-sim", "BTC-USDT").state == "gone"
    assert store_instruments("okx-sim", [BTC, ETH]) == Listing(added=0, changed=1, gone=0)
    assert Instrument.objects.named("okx-sim", "BTC-USDT").state == "live"


@pytest.mark.django_db
@pytest.mark.parametrize("listed", [[], [BTC]])
def test_a_list_that_is_empty_of_a_kind_changes_nothing(listed):
    store_instruments("okx-sim", [BTC, SWAP])
    changed = [replace(info, tick_size=Decimal(7)) for info in listed]
    with pytest.raises(ExchangeUnavailable, match=r"list of s.+ is empty; 1 are known"):
        store_instruments("okx-sim", changed)
    rows = Instrument.objects.values_list("symbol", "state", "tick_size")
    assert list(rows) == [
        ("BTC-USDT", "live", Decimal("0.1")),
        ("BTC-USDT-SWAP", "live", Decimal("0.1")),
    ]


@pytest.mark.django_db
def test_a_kind_whose_instruments_are_all_gone_may_stay_empty():
    store_instruments("okx-sim", [BTC, SWAP])
    Instrument.objects.filter(kind="swap").update(state="gone")
    assert store_instruments("okx-sim", [BTC]) == Listing(added=0, changed=0, gone=0)


@pytest.mark.django_db
def test_a_listing_leaves_other_exchanges_and_what_is_enabled_alone():
    make_instrument("ETH-USDT", exchange="okx", is_enabled=True)
    make_instrument("BTC-USDT", is_enabled=True)
    store_instruments("okx-sim", [BTC])
    assert Instrument.objects.enabled().count() == 2
    assert set(Instrument.objects.values_list("state", flat=True)) == {"live"}


@pytest.mark.django_db
def test_the_exchange_s_instruments_arrive_with_their_sizes(simulated):
    assert sync_instruments("okx-sim").added > 5
    btc = Instrument.objects.named("okx-sim", "BTC-USDT")
    swap = Instrument.objects.named("okx-sim", "BTC-USDT-SWAP")
    assert (btc.kind, btc.base, btc.quote) == ("spot", "BTC", "USDT")
    assert (swap.kind, swap.spec.contract_value) == ("swap", Decimal("0.01"))


@pytest.mark.django_db(transaction=True)
def test_history_equals_the_exchange_s_own_candles(simulated):
    sync_instruments("okx-sim")
    btc = Instrument.objects.named("okx-sim", "BTC-USDT")
    loaded = load_history(btc.pk)
    btc.refresh_from_db()
    stored = everything(btc)
    assert loaded.is_whole
    assert loaded.minutes == len(stored) == 3 * 1440
    assert btc.history_loaded_at is not None
    assert set(np.diff(stored["open_time_ms"])) == {MINUTE_MS}
    assert set(stored["source"]) == {Source.EXCHANGE}
    assert published(simulated, stored[-1]["open_time_ms"]) == stored[-1].item()[1:6]
    assert published(simulated, stored[0]["open_time_ms"]) == stored[0].item()[1:6]
    assert len(everything(btc, Timeframe.D1)) >= 2


@pytest.mark.django_db(transaction=True)
def test_loading_again_asks_for_nothing_and_changes_nothing(simulated):
    sync_instruments("okx-sim")
    btc = Instrument.objects.named("okx-sim", "BTC-USDT")
    load_history(btc.pk)
    before = everything(btc)
    again = load_history(btc.pk)
    after = everything(btc)
    assert again.minutes <= 2  # the exchange's clock went on meanwhile
    assert np.array_equal(after[: len(before)], before)
    assert not CandleRevision.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_run_that_was_stopped_is_finished_by_the_next(simulated):
    sync_instruments("okx-sim")
    btc = Instrument.objects.named("okx-sim", "BTC-USDT")
    stop = threading.Event()
    stop.set()
    assert not load_history(btc.pk, stop).is_whole
    btc.refresh_from_db()
    assert btc.history_loaded_at is None
    assert load_history(btc.pk).is_whole


@pytest.mark.django_db(transaction=True)
def test_candles_built_from_trades_are_kept(simulated):
    sync_instruments("okx-sim")
    btc = Instrument.objects.named("okx-sim", "BTC-USDT")
    load_history(btc.pk)
    middle = everything(btc)[1000:1010].copy()
    middle["source"], middle["trade_count"], middle["close"] = Source.TRADES, 7, middle["open"]
    write_candles(btc, middle, reason="test")
    everything_but(btc, middle[-1]["open_time_ms"] + MINUTE_MS)
    load_history(btc.pk)
    again = everything(btc)[1000:1010]
    assert np.array_equal(again["close"], middle["close"])
    assert set(again["trade_count"]) == {7}


@pytest.mark.django_db(transaction=True)
def test_two_loads_at_once_are_one(simulated):
    sync_instruments("okx-sim")
    eth = Instrument.objects.named("okx-sim", "ETH-USDT")
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(load_history(eth.pk))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([result for result in results if result is not None]) == 1
    assert len(everything(eth)) == 3 * 1440


@pytest.mark.django_db
def test_only_days_with_missing_minutes_are_asked_for(settings):
    settings.HISTORY_DAYS = 3
    btc = make_instrument("BTC-USDT")
    end = 20_000 * DAY_MS + 600 * MINUTE_MS
    start = end - 3 * DAY_MS
    assert [(day.end_ms - day.start_ms) // MINUTE_MS for day in missing_days(btc, end)] == [
        600,
        1440,
        1440,
        840,
    ]
    stored = minutes(3 * 1440, start_ms=start)
    write_candles(btc, np.delete(stored, 1000), reason="test")
    [day] = missing_days(btc, end)
    assert day.start_ms == 19_998 * DAY_MS
    assert day.end_ms == 19_999 * DAY_MS


@pytest.mark.django_db
def test_nothing_is_asked_for_before_the_listing(settings):
    settings.HISTORY_DAYS = 30
    store_instruments("okx-sim", [BTC])
    btc = Instrument.objects.get()
    listed = 1_611_907_686_000
    [day] = missing_days(btc, listed + 10 * MINUTE_MS)
    assert 0 < day.start_ms - listed < MINUTE_MS


@pytest.mark.django_db
def test_a_history_is_due_until_it_is_loaded_and_shortly_after_a_start(settings):
    settings.EXCHANGE = "okx-sim"
    collector = Collector.objects.create(name="okx-sim", exchange="okx-sim")
    btc = make_instrument("BTC-USDT", is_enabled=True, collector=collector)
    make_instrument("ETH-USDT", is_enabled=False)
    make_instrument("SOL-USDT", is_enabled=True, exchange="okx")
    assert due_histories() == [btc.pk]
    long_ago = "2020-01-01T00:00:00Z"
    Instrument.objects.filter(pk=btc.pk).update(history_loaded_at=long_ago)
    assert due_histories() == []
    Collector.objects.update(started_at=Now())
    assert due_histories() == [btc.pk]


@pytest.mark.django_db
def test_histories_of_every_collected_exchange_are_due(settings):
    settings.EXCHANGE, settings.MORE_EXCHANGES = "okx-sim", ["toy"]
    ours, toy, _ = [
        make_instrument("BTC-USDT", is_enabled=True, exchange=exchange)
        for exchange in ("okx-sim", "toy", "okx")
    ]
    assert due_histories() == [ours.pk, toy.pk]


@pytest.mark.django_db(transaction=True)
def test_only_so_many_histories_are_loaded_at_once(settings):
    settings.EXCHANGE = "okx-sim"
    symbols = [f"A{index}-USDT" for index in range(LOADS_AT_ONCE + 2)]
    ids = [make_instrument(symbol, is_enabled=True).pk for symbol in symbols]
    assert due_histories() == ids[:LOADS_AT_ONCE]
    with being_loaded(ids[:LOADS_AT_ONCE]):
        assert due_histories() == []
        assert load_history(ids[-1]) is None
    with being_loaded(ids[1:3]):
        assert due_histories() == [ids[0], *ids[3:LOADS_AT_ONCE]]


@contextmanager
def being_loaded(instrument_ids):
    """Hold the locks that loads of these instruments hold."""
    with connection.cursor() as cursor:
        for each in instrument_ids:
            cursor.execute("select pg_advisory_lock(7102, %s)", [each])
        yield
        cursor.execute("select pg_advisory_unlock_all()")


def everything(instrument, timeframe=Timeframe.M1):
    return read_candles(instrument, timeframe, 0, 4_000_000_000_000)


def everything_but(instrument, open_time_ms):
    """Delete the candle at `open_time_ms`, as if it had never been stored."""
    deleted, _ = Candle.objects.filter(
        instrument=instrument, timeframe=1, open_time=from_ms(int(open_time_ms))
    ).delete()
    assert deleted == 1


def published(exchange, open_time_ms):
    """Return open, high, low, close, volume as the exchange itself answers them."""
    url = (
        f"{exchange.rest}/api/v5/market/history-candles?instId=BTC-USDT&bar=1m&limit=1"
        f"&after={open_time_ms + MINUTE_MS}"
    )
    with urllib.request.urlopen(url, timeout=10) as answer:
        [row] = json.load(answer)["data"]
    assert int(row[0]) == open_time_ms
    return tuple(float(value) for value in row[1:6])
