"""A second exchange is one line in a table: nothing of the first one is touched by it."""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.core.exceptions import ImproperlyConfigured

from marketdata import exchanges, services
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.loading.listing import sync_instruments
from marketdata.models import Collector, Instrument, Trade
from marketdata.storage import read_candles
from marketdata.supervision.manager import CollectorManager
from marketdata.supervision.running import Outcome, run_collector
from tests.marketdata.toy.collector import toy_entry
from tests.marketdata.toy.server import START_MS, price, size, toy_exchange
from tests.patience import PATIENCE_S, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def toy(monkeypatch, settings):
    """The toy exchange at thirty times its speed, in a thread of its own, and known here."""
    ready, ended = threading.Event(), threading.Event()
    running = []

    async def serve():
        async with toy_exchange(30.0) as exchange:
            running.append(exchange)
            ready.set()
            while not ended.is_set():  # noqa: ASYNC110 - an event of another thread
                await asyncio.sleep(0.05)

    server = threading.Thread(target=asyncio.run, args=(serve(),))
    server.start()
    assert ready.wait(PATIENCE_S)
    monkeypatch.setitem(exchanges.EXCHANGES, "toy", toy_entry(running[0].url))
    settings.EXCHANGE, settings.MORE_EXCHANGES = "okx", ["toy"]
    settings.COLLECTOR_RENEW_SECONDS = settings.COLLECTOR_HEARTBEAT_SECONDS = 0.1
    yield running[0]
    ended.set()
    server.join(PATIENCE_S)


@pytest.mark.slow
@pytest.mark.usefixtures("queues")
def test_a_second_exchange_is_collected_into_the_database_beside_the_first(toy):
    first = Collector.objects.create(name="okx", exchange="okx")
    sync_instruments("toy")
    tea = Instrument.objects.named("toy", "TEA-EUR")
    services.enable_instrument(tea)
    [collector_id] = CollectorManager("toy").sweep()
    assert Collector.objects.get(pk=collector_id).name == "toy"

    stop = threading.Event()
    outcomes = []
    run = threading.Thread(target=lambda: outcomes.append(run_collector(collector_id, stop)))
    run.start()
    try:
        until(lambda: len(minutes(tea)) >= 2)
        toy.skipped |= set(range(toy.last_id + 5, toy.last_id + 9))
        services.enable_instrument(Instrument.objects.named("toy", "JAM-EUR"))
        until(lambda: Trade.objects.filter(instrument__symbol="JAM-EUR").exists())
        enough = len(minutes(tea)) + 3
        until(lambda: len(minutes(tea)) >= enough)
        row = Collector.objects.get(pk=collector_id)
        assert (row.state, set(row.channels)) == ("live", {"TEA-EUR", "JAM-EUR"})
    finally:
        stop.set()
        run.join(PATIENCE_S)
    assert outcomes == [Outcome.SHUTDOWN]

    stored = minutes(tea)
    opens = stored["open_time_ms"].tolist()
    assert opens == list(range(opens[0], opens[-1] + 1, MINUTE_MS))
    for candle in stored:
        assert candle.item()[1:6] == by_hand(int(candle["open_time_ms"]))
    ids = Trade.objects.filter(instrument=tea).order_by("trade_id").values_list("trade_id")
    found = [trade_id for (trade_id,) in ids]
    assert found == list(range(found[0], found[-1] + 1)), "what was not pushed was fetched"
    first.refresh_from_db()
    assert (first.fencing_token, first.state) == (0, "stopped")


def test_what_is_not_in_the_table_is_refused_with_the_choices():
    with pytest.raises(ImproperlyConfigured, match="one of the exchanges okx, okx-sim; was 'toy'"):
        exchanges.exchange_named("toy")


def test_an_exchange_that_is_not_collected_here_is_refused(settings):
    settings.EXCHANGE, settings.MORE_EXCHANGES = "okx", []
    row = Collector.objects.create(name="toy", exchange="toy")
    with pytest.raises(services.Refused, match="toy is not collected here"):
        services.request_start(row)


def minutes(instrument):
    return read_candles(instrument, Timeframe.M1, 0, 4_000_000_000_000)


def by_hand(open_ms):
    """Return open, high, low, close and volume of a minute, from the exchange's own rule."""
    first = max(1, (open_ms - START_MS) // 1000)
    ids = range(first, (open_ms - START_MS) // 1000 + 60)
    prices = [float(price(trade_id)) for trade_id in ids]
    volume = float(sum(size(trade_id) for trade_id in ids))
    return prices[0], max(prices), min(prices), prices[-1], volume
