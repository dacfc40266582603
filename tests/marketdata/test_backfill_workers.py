"""Backfills under real workers: killed, stopped and ended in the middle, they lose nothing."""

from __future__ import annotations

import os
import random
import signal
from datetime import UTC, datetime

import numpy as np
import pytest

from marketdata.backfills import BackfillRequest, request_backfill
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.loading.listing import sync_instruments
from marketdata.models import (
    Candle,
    CandleDay,
    CandleRevision,
    Collector,
    Instrument,
    Trade,
    from_ms,
)
from marketdata.storage import range_fingerprint, read_trades
from tcpdashboard.common.jobs.runner import run_job
from tcpdashboard.common.models import Job
from tests.marketdata.processes import BEAT, WORKER, celery
from tests.patience import Witness, until
from tests.simulated_exchange import spawned_exchange

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("queues"),
]

END = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1000)
SHORT = {
    "TCPD_JOB_LEASE_SECONDS": "8",
    "TCPD_JOB_RENEW_SECONDS": "0.5",
    "TCPD_JOB_SWEEP_SECONDS": "1",
}
CANDLES = {"start_ms": END - 10 * DAY_MS, "end_ms": END}
TRADES = {"start_ms": END - 60 * MINUTE_MS, "end_ms": END, "trades": True}
KEPT = {**SHORT, "TCPD_JOB_LEASE_SECONDS": "600"}
FOUND_WITHIN_S = 5
"""Behind the end of its lease a sweep asks for a job again."""


@pytest.fixture
def exchange(tmp_path, settings):
    with spawned_exchange(tmp_path) as exchange:
        settings.EXCHANGE = "okx-sim"
        settings.OKX_REST_URL, settings.OKX_WS_URL = exchange.rest, exchange.websocket
        sync_instruments("okx-sim")
        noon = from_ms(END + DAY_MS // 2)
        Collector.objects.create(name="okx-sim", exchange="okx-sim", exchange_time=noon)
        yield exchange


@pytest.mark.parametrize("asked", [CANDLES, TRADES], ids=["candles", "trades"])
def test_a_backfill_whose_worker_was_killed_ends_as_an_undisturbed_one(
    exchange, tmp_path, settings, asked
):
    expected = undisturbed(settings, asked)
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    share = random.Random(seed).uniform(0.1, 0.5)
    with (
        celery(BEAT, exchange, tmp_path, **SHORT),
        celery(WORKER, exchange, tmp_path, **SHORT) as one,
        celery(WORKER, exchange, tmp_path, **SHORT) as other,
    ):
        job = ask(asked)
        until(lambda: 0 < share * job.total <= now(job).done)
        holder = {one.process.pid: one, other.process.pid: other}[pid_of(now(job))]
        holder.kill()
        before = now(job)
        with Witness() as witness:
            until(lambda: now(job).fencing_token == 2)
        late_s = (now(job).requested_at - before.lease_expires_at).total_seconds()
        assert late_s < FOUND_WITHIN_S + witness.longest_s
        assert pid_of(now(job)) != holder.process.pid
        # What was done is not done again.
        assert now(job).done >= before.done > 0
        until(lambda: now(job).state == "done")
    assert contents(asked) == expected
    assert now(job).result["missing"] == 0
    assert not CandleRevision.objects.filter(reason="late trade").exists()


def test_a_worker_that_was_stopped_and_wakes_up_writes_nothing(exchange, tmp_path, settings):
    expected = undisturbed(settings, CANDLES)
    with (
        celery(BEAT, exchange, tmp_path, **SHORT),
        celery(WORKER, exchange, tmp_path, **SHORT) as one,
        celery(WORKER, exchange, tmp_path, **SHORT) as other,
    ):
        job = ask(CANDLES)
        until(lambda: now(job).done >= 1440)
        holder = {one.process.pid: one, other.process.pid: other}[pid_of(now(job))]
        os.killpg(holder.process.pid, signal.SIGSTOP)
        until(lambda: now(job).fencing_token == 2)
        os.killpg(holder.process.pid, signal.SIGCONT)
        until(lambda: now(job).state == "done")
        assert now(job).fencing_token == 2
    assert contents(CANDLES) == expected


def test_a_worker_that_is_told_to_end_gives_its_backfill_to_the_next(exchange, tmp_path, settings):
    expected = undisturbed(settings, CANDLES)
    with celery(BEAT, exchange, tmp_path, **KEPT):
        with celery(WORKER, exchange, tmp_path, **KEPT) as worker:
            job = ask(CANDLES)
            until(lambda: now(job).done >= 1440)
            assert worker.terminate() < 6
            given_back = now(job)
            assert (given_back.state, given_back.lease_owner) == ("queued", "")
            assert "Traceback" not in worker.log.read_text()
        with celery(WORKER, exchange, tmp_path, **KEPT):
            until(lambda: now(job).state == "done")
            assert now(job).fencing_token == 2
    assert contents(CANDLES) == expected


def undisturbed(settings, asked):
    """Return what a backfill that nothing disturbs stores, and forget it."""
    settings.OKX_LIMITS = False
    assert run_job(ask(asked).pk) == "done"
    expected = contents(asked)
    for model in (Candle, CandleDay, CandleRevision, Trade):
        model.objects.all().delete()
    return expected


def ask(asked):
    return request_backfill(BackfillRequest("okx-sim", "BTC-USDT", **asked))


def contents(asked):
    """Return the fingerprints of all candles and the ids of all trades."""
    btc = Instrument.objects.named("okx-sim", "BTC-USDT")
    window = asked["start_ms"], asked["end_ms"]
    prints = [range_fingerprint(btc, timeframe, *window) for timeframe in Timeframe]
    trades = read_trades(btc, *window)
    assert len(set(prints)) > 1
    assert set(np.diff(trades["trade_id"])) <= {1}
    sources = list(
        Candle.objects.filter(timeframe=1).order_by("open_time").values_list("source", flat=True)
    )
    return prints, len(trades), sources


def now(job):
    return Job.objects.get(pk=job.pk)


def pid_of(job):
    return int(job.lease_owner.split(":")[1])
