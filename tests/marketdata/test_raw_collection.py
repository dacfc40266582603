"""A running collector keeps raw messages and balances, and what it stored can be replayed."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager

import pytest

from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.exchanges import okx_endpoints
from marketdata.loading.listing import sync_instruments
from marketdata.models import (
    Candle,
    Collector,
    ExchangeCredential,
    Instrument,
    RawMessage,
    Trade,
    to_ms,
)
from marketdata.replay.running import replay
from marketdata.storage.credentials import UNREADABLE
from marketdata.supervision.running import Outcome, run_collector
from tcpdashboard.common.crypto import new_key
from tcpdashboard.common.models import Alert
from tests.marketdata.partitions import drop_partitions
from tests.patience import PATIENCE_S, until
from tests.simulated_exchange import spawned_exchange

pytestmark = pytest.mark.django_db(transaction=True)

SECRETS = {
    "api_key": "simulated-key",
    "secret": "simulated-secret",
    "passphrase": "simulated-passphrase",
}
SYMBOLS = ("BTC-USDT", "BTC-USDT-SWAP")


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exchange")
    with spawned_exchange(folder, "--speed", "60") as exchange:
        yield exchange


@pytest.fixture
def collector(exchange, settings):
    settings.EXCHANGE = "okx-sim"
    settings.OKX_REST_URL, settings.OKX_WS_URL = exchange.rest, exchange.websocket
    settings.ENCRYPTION_KEYS = [new_key()]
    sync_instruments("okx-sim")
    row = Collector.objects.create(name="okx-sim", exchange="okx-sim")
    Instrument.objects.filter(symbol__in=SYMBOLS).update(is_enabled=True, collector=row)
    yield row
    drop_partitions()


@contextmanager
def running(collector):
    stop, outcome = threading.Event(), []
    thread = threading.Thread(target=lambda: outcome.append(run_collector(collector.pk, stop)))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert outcome == [Outcome.SHUTDOWN]


def channels():
    return set(RawMessage.objects.values_list("channel", flat=True))


@pytest.mark.slow
def test_what_a_collector_stored_is_replayed_to_the_same_candles(collector):
    ExchangeCredential.objects.create(label="mine", exchange="okx-sim", **SECRETS)
    minutes = Candle.objects.filter(timeframe=1, source=0, minutes=1)
    with running(collector):
        until(lambda: all(minutes.filter(instrument__symbol=s).count() >= 6 for s in SYMBOLS))
        wanted = {"tickers", "books", "candle_pushes", "status", "balances"}
        until(lambda: channels() == wanted)
    assert Collector.objects.get().counters["raw"]["dropped"] == 0
    balance = RawMessage.objects.filter(channel="balances").first()
    assert json.loads(balance.payload["details"][0]["cashBal"]) == 100_000
    assert {row.exchange for row in RawMessage.objects.all()} == {"okx-sim"}

    times = [
        sorted(to_ms(row.open_time) for row in minutes.filter(instrument__symbol=symbol))
        for symbol in SYMBOLS
    ]
    start_ms = max(each[0] for each in times) + MINUTE_MS
    end_ms = min(each[-1] for each in times)
    compared = replay("okx-sim", None, start_ms, end_ms)
    assert {one.symbol for one in compared} == set(SYMBOLS)
    assert all(one.is_equal for one in compared), compared
    assert sum(one.candles for one in compared if one.timeframe is Timeframe.M1) >= 6


def test_a_credential_without_its_key_is_alerted_and_trades_are_collected(collector, settings):
    ExchangeCredential.objects.create(label="mine", exchange="okx-sim", **SECRETS)
    settings.ENCRYPTION_KEYS = []
    with running(collector):
        until(lambda: Trade.objects.exists())
        assert "private" not in Collector.objects.get().counters.get("connected", {})
    alert = Alert.objects.open().get(kind=UNREADABLE)
    assert "TCPD_ENCRYPTION_KEYS is not set" in alert.message


def test_what_is_kept_is_a_setting(collector, settings):
    settings.RAW_SECONDS = "tickers=1"
    with running(collector):
        until(lambda: RawMessage.objects.filter(channel="tickers").count() > 3)
    assert channels() == {"tickers"}


@pytest.mark.parametrize(
    ("sockets", "private"),
    [
        ("wss://ws.okx.com:8443/ws/v5", "wss://wspap.okx.com:8443/ws/v5/private"),
        ("wss://wseea.okx.com:8443/ws/v5", "wss://wseeapap.okx.com:8443/ws/v5/private"),
        ("wss://wspap.okx.com:8443/ws/v5", "wss://wspap.okx.com:8443/ws/v5/private"),
    ],
)
def test_a_demo_account_is_reached_at_its_regions_demo_address(settings, sockets, private):
    settings.OKX_REST_URL, settings.OKX_WS_URL = "https://www.okx.com", sockets
    assert okx_endpoints("okx", is_demo=True).private == private
    assert okx_endpoints("okx").private == f"{sockets}/private"
