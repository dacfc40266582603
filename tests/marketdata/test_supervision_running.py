"""A run collects under its lease, follows its row, and always gives the lease back."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from marketdata.loading.listing import sync_instruments
from marketdata.models import Candle, Collector, Instrument, Trade
from marketdata.signals import minute_closed
from marketdata.supervision.lease import acquire
from marketdata.supervision.running import Outcome, run_collector
from marketdata.supervision.staleness import sweep_feeds
from tcpdashboard.common.models import Alert
from tests.patience import PATIENCE_S, steadily, until
from tests.simulated_exchange import spawned_exchange

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exchange")
    with spawned_exchange(folder, "--speed", "20") as exchange:
        yield exchange


@pytest.fixture
def collector(exchange, settings):
    """A collector of BTC-USDT that renews ten times a second."""
    settings.EXCHANGE = "okx-sim"
    settings.OKX_REST_URL, settings.OKX_WS_URL = exchange.rest, exchange.websocket
    settings.COLLECTOR_RENEW_SECONDS = settings.COLLECTOR_HEARTBEAT_SECONDS = 0.1
    sync_instruments("okx-sim")
    row = Collector.objects.create(name="okx-sim", exchange="okx-sim")
    assign(row, "BTC-USDT")
    return row


def test_a_run_collects_and_reports_until_it_is_stopped(collector):
    with running(collector) as run:
        until(lambda: Trade.objects.exists())
        until(lambda: row(collector).state == "live" and row(collector).counters["trades"])
        assert row(collector).exchange_time is not None
        run.stop.set()
        assert run.outcome() is Outcome.SHUTDOWN
    ended = row(collector)
    assert (ended.state, ended.lease_owner, ended.lease_expires_at) == ("stopped", "", None)
    assert ended.last_error == ""
    assert ended.counters["trades"] > 0


def test_the_lease_is_returned_within_seconds_of_the_stop(collector):
    def is_returned():
        with running(collector) as run:
            until(lambda: row(collector).state == "live" and row(collector).counters["trades"])
            started = time.monotonic()
            run.stop.set()
            run.outcome()
        assert time.monotonic() - started < 5
        assert row(collector).lease_expires_at is None

    steadily(is_returned, 1.0)


def test_a_process_that_ends_takes_no_lease(collector):
    stop = threading.Event()
    stop.set()
    assert run_collector(collector.pk, stop) is Outcome.SHUTDOWN
    assert row(collector).fencing_token == 0


def test_a_second_run_leaves_the_first_alone(collector):
    with running(collector) as run:
        until(lambda: row(collector).lease_owner)
        assert run_collector(collector.pk, threading.Event()) is Outcome.HELD
        run.stop.set()
        assert run.outcome() is Outcome.SHUTDOWN


def test_a_stop_request_ends_the_run(collector):
    with running(collector) as run:
        until(lambda: row(collector).state == "live")
        Collector.objects.update(desired="stopped")
        assert run.outcome() is Outcome.STOPPED
    assert row(collector).state == "stopped"


def test_a_restart_request_ends_the_run_so_that_the_sweep_starts_it_anew(collector):
    with running(collector) as run:
        until(lambda: row(collector).state == "live")
        Collector.objects.update(restart_requested_at=Now(), requested_at=Now())
        assert run.outcome() is Outcome.RESTART
    assert row(collector).requested_at is None


def test_an_instrument_that_is_enabled_meanwhile_is_collected_under_the_same_lease(collector):
    with running(collector) as run:
        until(lambda: Trade.objects.exists())
        assign(collector, "BTC-USDT-SWAP")
        until(lambda: Trade.objects.filter(instrument__symbol="BTC-USDT-SWAP").exists())
        assert row(collector).fencing_token == 1
        run.stop.set()
        assert run.outcome() is Outcome.SHUTDOWN


@pytest.mark.slow
def test_instruments_come_and_go_without_a_new_connection_and_leave_nothing_behind(collector):
    with running(collector) as run:
        until(lambda: Trade.objects.exists() and row(collector).state == "live")
        assign(collector, "ETH-USDT")
        until(lambda: Trade.objects.filter(instrument__symbol="ETH-USDT").exists())
        until(lambda: set(row(collector).channels) == {"BTC-USDT", "ETH-USDT"})
        assert row(collector).counters["reconnects"] == 0
        Instrument.objects.filter(symbol="BTC-USDT").update(is_enabled=False)
        until(lambda: set(row(collector).channels) == {"ETH-USDT"})
        stored = Trade.objects.filter(instrument__symbol="BTC-USDT").count()
        before = Trade.objects.filter(instrument__symbol="ETH-USDT").count()
        until(lambda: Trade.objects.filter(instrument__symbol="ETH-USDT").count() > before)
        assert Trade.objects.filter(instrument__symbol="BTC-USDT").count() == stored
        assert row(collector).counters["reconnects"] == 0
        assert row(collector).counters["channels"]["business"] == 2
        run.stop.set()
        assert run.outcome() is Outcome.SHUTDOWN
    assert row(collector).restarts.count() == 0


def test_a_row_shows_how_each_channel_is(collector):
    with running(collector) as run:
        until(lambda: row(collector).health == "live")
        shown = row(collector)
        channels = shown.channels["BTC-USDT"]["channels"]
        assert set(channels) >= {"trades-all", "candle1m", "tickers"}
        assert channels["trades-all"]["feed"] == "business"
        until(lambda: 0 <= event_age_ms(row(collector)) < 90_000)
        run.stop.set()
        run.outcome()
    assert row(collector).health == ""


@pytest.mark.slow
def test_a_run_through_which_nothing_comes_any_more_ends_so_that_it_begins_anew(
    collector, settings, exchange
):
    with running(collector) as run:
        until(lambda: row(collector).state == "live")
        exchange.post("speed", {"speed": 0})
        settings.COLLECTOR_STALL_SECONDS = 2
        try:
            assert run.outcome() is Outcome.STALLED
        finally:
            exchange.post("speed", {"speed": 20})
    assert (row(collector).state, row(collector).ended_reason) == ("failed", "stalled")
    settings.COLLECTOR_STALL_SECONDS = 300
    with running(collector) as run:
        until(lambda: row(collector).restarts.exclude(live_at=None).exists())
        run.stop.set()
        run.outcome()
    assert row(collector).restarts.get().reason == "stalled"


@pytest.mark.slow
def test_a_feed_that_the_exchange_stops_is_told_until_it_comes_again(collector, exchange):
    assign(collector, "ETH-USDT")
    with running(collector) as run:
        until(lambda: row(collector).health == "live")
        silence = {"kind": "silence", "instId": "ETH-USDT", "seconds": 600}
        exchange.post(
            "faults", [{**silence, "channel": name} for name in ("trades-all", "candle1m")]
        )
        until(lambda: sweep_feeds("okx-sim") == ["okx-sim:ETH-USDT"])
        states = row(collector).channels["ETH-USDT"]["channels"]
        assert states["trades-all"]["state"] == states["candle1m"]["state"] == "stale"
        assert row(collector).channels["BTC-USDT"]["channels"]["trades-all"]["state"] == "live"
        assert Alert.objects.open().get().subject == "okx-sim:ETH-USDT"
        exchange.clear_faults()
        until(lambda: sweep_feeds("okx-sim") == [])
        assert not Alert.objects.open().filter(kind="feed_stale").exists()
        run.stop.set()
        run.outcome()


@pytest.mark.slow
def test_a_changed_contract_value_is_calculated_with_under_the_same_lease(collector):
    assign(collector, "BTC-USDT-SWAP")
    with running(collector) as run:
        until(lambda: row(collector).state == "live")
        Instrument.objects.filter(symbol="BTC-USDT-SWAP").update(contract_value="2.5")
        until(lambda: any(volume > 2 * size for volume, size in swap_minutes()))
        assert row(collector).fencing_token == 1
        run.stop.set()
        assert run.outcome() is Outcome.SHUTDOWN


def test_without_instruments_the_run_ends(collector):
    with running(collector) as run:
        until(lambda: row(collector).state == "live")
        Instrument.objects.update(is_enabled=False)
        assert run.outcome() is Outcome.STOPPED


def test_a_run_whose_lease_was_taken_over_writes_nothing_more(collector):
    with running(collector) as run:
        until(lambda: Trade.objects.exists())
        Collector.objects.update(lease_expires_at=None)
        taken = acquire(collector.pk)
        stored = Trade.objects.count()
        assert run.outcome() is Outcome.LOST
    now = row(collector)
    assert Trade.objects.count() == stored
    assert (now.lease_owner, now.fencing_token) == (taken.owner, 2)


def test_a_wrong_address_is_written_to_the_row(collector, settings):
    settings.OKX_REST_URL = "https://www.okx.com"
    assert run_collector(collector.pk, threading.Event()) is Outcome.FAILED
    failed = row(collector)
    assert failed.state == "failed"
    assert failed.lease_expires_at is None
    assert "okx-sim is the simulated exchange, but TCPD_OKX_REST_URL is" in failed.last_error
    assert failed.last_error_at is not None
    assert failed.ended_reason == "crash"


def test_an_unreachable_exchange_is_waited_for(collector, settings, exchange):
    settings.OKX_WS_URL = "ws://127.0.0.1:9/ws/v5"
    with running(collector) as run:
        until(lambda: row(collector).last_error)
        assert row(collector).state == "starting"
        run.stop.set()
        assert run.outcome() is Outcome.SHUTDOWN


@pytest.mark.slow
def test_closed_minutes_are_announced_after_they_are_stored(collector):
    told, missing = [], []

    def hear(instrument_id, open_time_ms, **_):
        with connection.cursor() as cursor:
            cursor.execute(
                "select 1 from marketdata_candle where instrument_id = %s and timeframe = 1"
                " and open_time = to_timestamp(%s)",
                [instrument_id, open_time_ms / 1000],
            )
            (told if cursor.fetchone() else missing).append(open_time_ms)

    minute_closed.connect(hear)
    try:
        with running(collector) as run:
            until(lambda: len(told) >= 2)
            run.stop.set()
            run.outcome()
    finally:
        minute_closed.disconnect(hear)
    assert not missing
    assert told == sorted(set(told))


def test_a_foreground_run_takes_the_symbols_it_is_given_and_ends_when_its_observer_says(collector):
    Collector.objects.update(desired="stopped")
    outcome = run_collector(
        collector.pk,
        threading.Event(),
        symbols=("ETH-USDT",),
        observer=lambda health: health["stored_trades"] > 0,
    )
    assert outcome is Outcome.STOPPED
    assert set(Trade.objects.values_list("instrument__symbol", flat=True)) == {"ETH-USDT"}
    assert row(collector).desired == "stopped"


def assign(collector, symbol):
    instruments = Instrument.objects.filter(exchange="okx-sim", symbol=symbol)
    assert instruments.update(is_enabled=True, collector=collector) == 1


def swap_minutes():
    """Return each stored minute of the swap as its volume and the sizes of its trades."""
    minutes = Candle.objects.filter(instrument__symbol="BTC-USDT-SWAP", timeframe=1)
    minute = timedelta(minutes=1)
    return [
        (
            candle.volume,
            sum(
                Trade.objects.filter(
                    instrument=candle.instrument_id,
                    executed_at__gte=candle.open_time,
                    executed_at__lt=candle.open_time + minute,
                ).values_list("size", flat=True)
            ),
        )
        for candle in minutes
    ]


def event_age_ms(shown):
    """Return how long ago, in the exchange's time, the newest event of BTC-USDT was."""
    return shown.counters["exchange_ms"] - shown.channels["BTC-USDT"]["event_ms"]


def row(collector):
    return Collector.objects.get(pk=collector.pk)


class Run:
    """A run of a collector in a thread of its own."""

    def __init__(self, collector):
        self.stop = threading.Event()
        self._outcome = []
        self.thread = threading.Thread(
            target=lambda: self._outcome.append(run_collector(collector.pk, self.stop))
        )

    def outcome(self):
        self.thread.join(PATIENCE_S)
        assert self._outcome, "the run did not end"
        return self._outcome[0]


@contextmanager
def running(collector):
    run = Run(collector)
    run.thread.start()
    try:
        yield run
    finally:
        run.stop.set()
        run.thread.join(PATIENCE_S)
