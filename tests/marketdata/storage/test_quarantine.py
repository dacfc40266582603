"""A batch that the database refuses for good stops neither other instruments nor the collector."""

from __future__ import annotations

import pytest

from marketdata.collector.ports import Batch
from marketdata.domain.timeframe import DAY_MS
from marketdata.models import RefusedBatch
from marketdata.storage import DatabaseSink, read_trades
from marketdata.storage.quarantine import KEPT
from tcpdashboard.common.models import Alert
from tests.marketdata.storage.builders import DAY, batch, make_instrument, tape

pytestmark = pytest.mark.django_db


@pytest.fixture
def btc():
    return make_instrument("BTC-USDT")


@pytest.fixture
def eth():
    return make_instrument("ETH-USDT")


def impossible(symbol):
    """A batch with a candle whose high is below its low, which a constraint refuses."""
    part = batch(symbol, trades=tape(DAY, [5.0, 5.5]))
    minutes = batch(symbol, exchange_ms=DAY).instruments[0].emission.minutes
    bad = minutes.copy()
    bad.resize(1, refcheck=False)
    bad["open_time_ms"], bad["minutes"], bad["high"], bad["low"] = DAY, 1, 1.0, 2.0
    return batch(symbol, trades=part.instruments[0].emission.trades, minutes=bad)


def test_what_is_refused_is_kept_aside_and_the_others_are_stored(btc, eth):
    sound = batch("ETH-USDT", trades=tape(DAY, [7.0, 7.5, 8.0]))
    both = Batch((*impossible("BTC-USDT").instruments, *sound.instruments))
    DatabaseSink(None, "okx", None).commit(both)
    assert len(read_trades(eth, DAY, DAY + DAY_MS)) == 3
    assert not len(read_trades(btc, DAY, DAY + DAY_MS))
    kept = RefusedBatch.objects.get()
    assert kept.instrument == btc
    assert [row[0] for row in kept.payload["trades"]] == [1, 2]
    assert "candle_shape" in kept.error
    assert Alert.objects.open().get(kind="batch_refused").subject == "okx:BTC-USDT"


def test_the_next_batch_of_the_same_instrument_is_stored(btc):
    sink = DatabaseSink(None, "okx", None)
    sink.commit(impossible("BTC-USDT"))
    sink.commit(batch("BTC-USDT", trades=tape(DAY + 60_000, [6.0], first_id=3)))
    assert read_trades(btc, DAY, DAY + DAY_MS)["trade_id"].tolist() == [3]


def test_a_fault_that_repeats_is_kept_so_many_times_and_no_more(btc):
    sink = DatabaseSink(None, "okx", None)
    for _ in range(KEPT + 5):
        sink.commit(impossible("BTC-USDT"))
    assert RefusedBatch.objects.count() == KEPT
    assert Alert.objects.get(kind="batch_refused").count == KEPT + 5
