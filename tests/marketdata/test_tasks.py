"""Tasks are hints: sent once, expiring, and never in anybody's way."""

from __future__ import annotations

import fnmatch
import json
import threading
import time

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from marketdata import services, tasks
from marketdata.models import Collector, Instrument
from tcpdashboard.celery import app
from tcpdashboard.schedules import TASK_ROUTES, beat_schedule
from tests.marketdata.api.conftest import make_instrument
from tests.patience import steadily


@pytest.fixture(autouse=True)
def _simulated(settings):
    settings.EXCHANGE = "okx-sim"


def test_everything_on_the_clock_is_a_task_that_exists_and_expires():
    app.loader.import_default_modules()
    for entry in beat_schedule(2).values():
        assert entry["task"] in app.tasks
        assert entry["options"]["expire_seconds"] <= entry["schedule"] * 3


def test_collectors_and_sweeps_have_queues_of_their_own():
    app.loader.import_default_modules()
    router = app.amqp.router
    queues = {name: router.route({}, name)["queue"].name for name in app.tasks}
    assert queues["marketdata.collect"] == "collect"
    assert queues["marketdata.sweep_collectors"] == "ticks"
    assert queues["marketdata.sweep_histories"] == "ticks"
    assert queues["common.beat_heartbeat"] == "ticks"
    assert queues["marketdata.load_history"] == "default"
    assert queues["common.sweep_jobs"] == "ticks"
    for name in ("repair_gaps", "scan_gaps", "verify_minutes", "enforce_retention"):
        assert queues[f"marketdata.{name}"] == "repair"
    assert queues["bots.sweep"] == queues["bots.sweep_limits"] == queues["bots.tick"] == "ticks"
    for pattern in TASK_ROUTES:
        assert fnmatch.filter(app.tasks, pattern), f"no task is routed by {pattern}"


@pytest.mark.django_db
def test_a_sweep_asks_once_for_a_collector_that_nobody_runs(queues):
    collector = Collector.objects.create(name="okx-sim", exchange="okx-sim")
    make_instrument("BTC-USDT", is_enabled=True, collector=collector)
    tasks.sweep_collectors()
    tasks.sweep_collectors()
    assert queues.llen("collect") == 1
    message = json.loads(queues.lindex("collect", 0))
    assert message["headers"]["task"] == "marketdata.collect"
    assert message["headers"]["argsrepr"] == f"({collector.pk},)"
    assert message["headers"]["expires"] is not None


@pytest.mark.django_db
def test_an_exchange_whose_sweep_fails_keeps_no_other_from_being_swept(queues, settings):
    settings.EXCHANGE, settings.MORE_EXCHANGES = "okx-sim", ["toy"]
    collector = Collector.objects.create(name="toy", exchange="toy")
    make_instrument("BTC-USDT", exchange="toy", is_enabled=True, collector=collector)

    def fail_for_the_first(execute, sql, params, many, context):
        if params and "okx-sim" in str(params):
            raise OperationalError("canceling statement due to lock timeout")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail_for_the_first):
        tasks.sweep_collectors()
    assert queues.llen("collect") == 1


@pytest.mark.django_db(transaction=True)
def test_the_store_is_looked_through_by_one_worker_at_a_time(queues):
    make_instrument("BTC-USDT", is_enabled=True)
    seen = []

    def scan_meanwhile(execute, sql, params, many, context):
        if "marketdata_instrument" in sql and not seen:
            seen.append(sql)
            other = threading.Thread(target=scan_and_listen)
            other.start()
            other.join()
        return execute(sql, params, many, context)

    def scan_and_listen():
        with CaptureQueriesContext(connection) as asked:
            tasks.scan_gaps()
        seen.append([one["sql"] for one in asked if "marketdata_" in one["sql"]])
        connection.close()

    with connection.execute_wrapper(scan_meanwhile):
        tasks.scan_gaps()
    assert seen[1:] == [[]]
    with CaptureQueriesContext(connection) as asked:
        tasks.scan_gaps()
    assert any("marketdata_instrument" in one["sql"] for one in asked)


@pytest.mark.django_db
def test_a_sweep_asks_for_every_history_that_is_missing(queues):
    make_instrument("BTC-USDT", is_enabled=True)
    make_instrument("ETH-USDT", is_enabled=True)
    make_instrument("SOL-USDT")
    tasks.sweep_histories()
    assert queues.llen("default") == 2


def test_each_exchange_s_list_is_asked_for_apart(queues, settings):
    settings.MORE_EXCHANGES = ["toy"]
    tasks.sync_instruments()
    asked = [
        json.loads(message)["headers"]["argsrepr"] for message in queues.lrange("default", 0, -1)
    ]
    assert sorted(asked) == ["('okx-sim',)", "('toy',)"]


@pytest.mark.django_db(transaction=True)
def test_enabling_asks_for_history_and_collection_after_the_commit(queues):
    services.enable_instrument(make_instrument("BTC-USDT"))
    assert (queues.llen("default"), queues.llen("ticks")) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_delays_nothing_and_breaks_nothing(monkeypatch):
    monkeypatch.setattr(app.conf, "broker_write_url", "redis://127.0.0.1:9/0")

    def enable():
        Instrument.objects.all().delete()
        instrument = make_instrument("BTC-USDT")
        started = time.monotonic()
        services.enable_instrument(instrument)
        assert time.monotonic() - started < 3
        assert Instrument.objects.get().is_enabled

    steadily(enable, 1.0)
