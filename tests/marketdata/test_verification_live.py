"""While a collector runs, every minute it stores is verified as the exchange confirms it."""

from __future__ import annotations

import pytest

from marketdata.domain.timeframe import DAY_MS, Timeframe
from marketdata.loading.listing import sync_instruments
from marketdata.models import Candle, CandleConflict, Collector, Instrument, to_ms
from marketdata.storage import integrity
from marketdata.supervision.running import Outcome
from tests.marketdata.test_supervision_running import assign, running, until
from tests.simulated_exchange import spawned_exchange

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SYMBOLS = ("BTC-USDT", "BTC-USDT-SWAP")


@pytest.fixture
def collector(tmp_path, settings):
    with spawned_exchange(tmp_path, "--speed", "60") as exchange:
        settings.EXCHANGE = "okx-sim"
        settings.OKX_REST_URL, settings.OKX_WS_URL = exchange.rest, exchange.websocket
        sync_instruments("okx-sim")
        row = Collector.objects.create(name="okx-sim", exchange="okx-sim")
        for symbol in SYMBOLS:
            assign(row, symbol)
        yield row


def found(symbol):
    """Return the integrity of everything that is stored of an instrument."""
    instrument = Instrument.objects.named("okx-sim", symbol)
    first = Candle.objects.filter(instrument=instrument, timeframe=1).order_by("open_time").first()
    if first is None:
        return None
    start_ms = to_ms(first.open_time)
    return integrity(instrument, Timeframe.M1, start_ms, start_ms + DAY_MS)


def has_verified(symbol, minutes):
    told = found(symbol)
    return told is not None and told.verified >= minutes


def test_the_socket_alone_verifies_what_is_collected(collector):
    with running(collector) as run:
        for symbol in SYMBOLS:
            until(lambda symbol=symbol: has_verified(symbol, 2))
        run.stop.set()
        assert run.outcome() is Outcome.SHUTDOWN

    for symbol in SYMBOLS:
        told = found(symbol)
        # The last minutes may have been stored before the exchange confirmed them.
        assert told.complete - told.verified <= 2
        assert told.differing == 0
    assert not CandleConflict.objects.exists()
