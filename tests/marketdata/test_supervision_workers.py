"""Collection under real workers: started, drained, and recovered from a crash."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest

from marketdata import services
from marketdata.domain.records import Source
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import Candle, Collector, Instrument, Trade
from marketdata.storage import read_candles
from tests.marketdata.processes import BEAT, WORKER, celery
from tests.patience import Witness, until
from tests.simulated_exchange import spawned_exchange

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("queues"),
]


SPEED = 20


@pytest.fixture
def exchange(tmp_path, settings):
    """An exchange at twenty times its speed, whose instruments are known."""
    with spawned_exchange(tmp_path, "--speed", str(SPEED)) as exchange:
        settings.EXCHANGE = "okx-sim"
        settings.OKX_REST_URL, settings.OKX_WS_URL = exchange.rest, exchange.websocket
        yield exchange


def test_a_killed_worker_s_collector_lives_again_within_20_s(exchange, tmp_path):
    with celery(BEAT, exchange, tmp_path), celery(WORKER, exchange, tmp_path) as worker:
        services.seed_demo("okx-sim")
        until(lambda: Trade.objects.exists())
        until(lambda: row().state == "live")
        worker.kill()
        with Witness() as witness, celery(WORKER, exchange, tmp_path) as successor:
            until(lambda: row().fencing_token == 2)
            stored = Trade.objects.count()
            until(lambda: Trade.objects.count() > stored)
            until(lambda: row().state == "live" and row().restarts.get().live_at)
            assert row().restarts.get().down_s < 20 + witness.longest_s
            assert successor.terminate() < 10
    assert row().lease_owner == ""


def test_a_terminated_worker_drains_and_gives_the_lease_back(exchange, tmp_path):
    with celery(BEAT, exchange, tmp_path) as beat, celery(WORKER, exchange, tmp_path) as worker:
        services.seed_demo("okx-sim")
        until(lambda: row().state == "live")
        # While it goes on, somebody else is asked as soon as the lease is free.
        beat.terminate()
        assert worker.terminate() < 6
        given_back = row()
        assert (given_back.lease_owner, given_back.lease_expires_at) == ("", None)
        assert given_back.state == "stopped"
        assert given_back.ended_reason == "shutdown"
        said = worker.log.read_text()
        assert ended(worker) == ["the process ends"]
        assert "Traceback" not in said
        assert "not everything could be stored" not in said
        assert "collector_did_not_drain" not in said


def test_stop_start_and_restart_reach_the_worker(exchange, tmp_path):
    with celery(BEAT, exchange, tmp_path), celery(WORKER, exchange, tmp_path) as worker:
        services.seed_demo("okx-sim")
        until(lambda: row().state == "live")
        until(lambda: Trade.objects.exists())
        services.request_stop(row())
        until(lambda: row().state == "stopped" and not row().lease_owner)
        # It says so after it has given the lease back.
        until(lambda: ended(worker))
        assert ended(worker) == ["stopped on request"]
        stored = Trade.objects.count()
        services.request_start(row())
        until(lambda: row().state == "live")
        assert (row().fencing_token, holder_pid()) == (2, worker.process.pid)
        until(lambda: Trade.objects.count() > stored)
        services.request_restart(row())
        until(lambda: row().fencing_token > 2 and row().state == "live")
        assert (row().fencing_token, holder_pid()) == (3, worker.process.pid)
        assert ended(worker) == ["stopped on request", "restarts on request"]
        stored = Trade.objects.count()
        until(lambda: Trade.objects.count() > stored)


def test_live_candles_and_history_join_into_the_exchange_s_own(exchange, tmp_path):
    days = {"TCPD_HISTORY_DAYS": "1"}
    with (
        celery(BEAT, exchange, tmp_path, **days),
        celery(WORKER, exchange, tmp_path, **days) as worker,
    ):
        services.seed_demo("okx-sim")
        until(lambda: not Instrument.objects.enabled().filter(history_loaded_at=None))
        hurry(exchange, lambda: closed_from_trades() >= 5)
        worker.kill()
        with celery(WORKER, exchange, tmp_path, **days) as successor:
            until(lambda: row().fencing_token == 2 and row().state == "live")
            hurry(exchange, lambda: closed_from_trades() >= 15)
            until(lambda: all(map(is_seamless, Instrument.objects.enabled())))
            successor.terminate()
    for instrument in Instrument.objects.enabled():
        stored = everything(instrument)
        assert len(stored) > 1440
        assert_equal_to_published(exchange, instrument, stored)


def test_of_two_workers_the_other_takes_over_within_15_s_without_a_hole(exchange, tmp_path):
    with two_workers(exchange, tmp_path) as workers:
        holder, other = in_charge(exchange, workers)
        holder.kill()
        expires_at = row().lease_expires_at
        with Witness() as witness:
            until(lambda: row().fencing_token == 2)
        until(lambda: row().state == "live")
        assert holder_pid() == other.process.pid
        # The lease is of 10 s.
        late_s = (row().restarts.get().at - expires_at).total_seconds()
        assert late_s < 5 + witness.longest_s
        then = newest_candle()
        hurry(exchange, lambda: closed_after(then) >= 3)
        until(lambda: all(map(is_seamless, Instrument.objects.enabled())))
        assert reasons() == ["failover"]
        assert 0 < row().restarts.get().down_s < 30
        other.terminate()
    assert_nothing_is_missing_or_twice(exchange)


def test_a_worker_that_stood_still_writes_nothing_late_and_lets_go(exchange, tmp_path):
    with two_workers(exchange, tmp_path) as workers:
        holder, other = in_charge(exchange, workers)
        os.killpg(holder.process.pid, signal.SIGSTOP)
        until(lambda: row().fencing_token == 2 and row().state == "live")
        assert holder_pid() == other.process.pid
        then = newest_candle()
        os.killpg(holder.process.pid, signal.SIGCONT)
        until(lambda: "lost its lease" in holder.log.read_text())
        until(lambda: reasons() == ["lease lost"])
        hurry(exchange, lambda: closed_after(then) >= 3)
        until(lambda: all(map(is_seamless, Instrument.objects.enabled())))
        assert (row().fencing_token, holder_pid()) == (2, other.process.pid)
        assert holder.process.poll() is None, "only its collector ended"
        other.terminate()
        until(lambda: row().fencing_token == 3 and row().state == "live")
        assert holder_pid() == holder.process.pid
        holder.terminate()
    assert reasons() == ["lease lost", "shutdown"]
    assert_nothing_is_missing_or_twice(exchange)


@contextmanager
def two_workers(exchange, tmp_path):
    """Run beat and two workers that may collect; their logs are apart."""
    days = {"TCPD_HISTORY_DAYS": "1"}
    folders = [tmp_path / name for name in ("beat", "first", "second")]
    for folder in folders:
        folder.mkdir()
    with (
        celery(BEAT, exchange, folders[0], **days),
        celery(WORKER, exchange, folders[1], **days) as first,
        celery(WORKER, exchange, folders[2], **days) as second,
    ):
        yield first, second


def in_charge(exchange, workers):
    """Return the worker that collects and the other one, once candles are being closed."""
    services.seed_demo("okx-sim")
    until(lambda: Collector.objects.filter(state="live").exists())
    hurry(exchange, lambda: closed_from_trades() >= 2)
    until(lambda: not Instrument.objects.enabled().filter(history_loaded_at=None))
    first, second = workers
    return (first, second) if holder_pid() == first.process.pid else (second, first)


def holder_pid():
    return int(row().lease_owner.split(":")[1])


def ended(worker):
    """Return why the worker's collectors ended, as it said, one after the other."""
    said = re.sub(r"\x1b\[[0-9;]*m", "", worker.log.read_text())
    return re.findall(r"collector_ended .*?reason='([^']*)'", said)


def reasons():
    return list(row().restarts.order_by("fencing_token").values_list("reason", flat=True))


def newest_candle():
    return Candle.objects.filter(timeframe=1).latest("open_time").open_time


def closed_after(time):
    """Return the minutes closed after `time` of the instrument that has fewest."""
    counts = [
        Candle.objects.filter(instrument=one, timeframe=1, open_time__gt=time).count()
        for one in Instrument.objects.enabled()
    ]
    return min(counts)


def assert_nothing_is_missing_or_twice(exchange):
    for instrument in Instrument.objects.enabled():
        trades = Trade.objects.filter(instrument=instrument)
        ids = sorted(trades.values_list("trade_id", flat=True))
        assert len(ids) > 20
        assert ids == list(range(ids[0], ids[-1] + 1)), instrument
        assert_equal_to_published(exchange, instrument, everything(instrument))


def row():
    return Collector.objects.get()


def closed_from_trades():
    """Return the candles built from trades of the instrument that has fewest."""
    counts = [
        Candle.objects.filter(instrument=one, timeframe=1, source=Source.TRADES).count()
        for one in Instrument.objects.enabled()
    ]
    return min(counts, default=0)


def everything(instrument):
    return read_candles(instrument, Timeframe.M1, 0, 4_000_000_000_000)


def is_seamless(instrument):
    return set(np.diff(everything(instrument)["open_time_ms"])) == {MINUTE_MS}


def assert_equal_to_published(exchange, instrument, stored):
    # OKX gives the volume of spot in base currency; of swaps in contracts, then in base currency.
    columns = (1, 2, 3, 4, 5 if instrument.kind == "spot" else 6)
    published = {}
    before = int(stored[-1]["open_time_ms"]) + MINUTE_MS
    while before > stored[0]["open_time_ms"]:
        url = (
            f"{exchange.rest}/api/v5/market/history-candles?instId={instrument.symbol}&bar=1m&limit=300"
            f"&after={before}"
        )
        with urllib.request.urlopen(url, timeout=10) as answer:
            page = json.load(answer)["data"]
        published |= {int(row[0]): tuple(float(row[at]) for at in columns) for row in page}
        before = int(page[-1][0])
    different = [
        candle["open_time_ms"]
        for candle in stored
        if published[int(candle["open_time_ms"])] != candle.item()[1:6]
    ]
    assert different == []


def hurry(exchange, condition):
    """Wait for what takes the exchange's time, which passes three times as fast meanwhile."""
    exchange.post("speed", {"speed": 3 * SPEED})
    until(condition)
    exchange.post("speed", {"speed": SPEED})
