"""All processes together keep within an exchange's limits, and live requests come first."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import redis
from django.conf import settings as django_settings
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from marketdata import limiting
from marketdata.collector.limits import LocalLimiter, Unlimited, even_bucket
from marketdata.collector.okx.constants import RATES
from marketdata.exchanges import open_history
from marketdata.limiting import BULK_SHARE, SharedLimiter, Urgency, limits_redis, shared_limiter
from tcpdashboard.embedded.engines import Engines
from tests.patience import Patience

ROOT = Path(__file__).resolve().parents[2]
WINDOW_S = 0.5
RATE = 20


@pytest.fixture
def host(request):
    """A host of which no bucket is kept yet."""
    name = request.node.name
    yield name
    with redis.Redis.from_url(django_settings.REDIS_URL) as client:
        if keys := client.keys(f"limit:{{{name}}}*"):
            client.delete(*keys)


@given(
    rate=st.integers(1, 60),
    window_s=st.floats(0.1, 5),
    steps=st.lists(st.floats(0, 2), min_size=1, max_size=80),
)
def test_no_window_holds_more_than_the_limit_however_requests_come(rate, window_s, steps):
    now = 0.0
    limiter = LocalLimiter({"/trades": rate}, window_s, monotonic=lambda: now)
    sent = []
    for step in steps:
        now += step
        sent.append(now + limiter.reserve("/trades"))
    assert busiest(sent, window_s) <= rate


def test_a_bucket_lets_a_quarter_go_at_once_and_the_rest_evenly():
    bucket = even_bucket(8, 3.0)
    assert (bucket.interval_s, bucket.burst_s) == (0.5, 1.0)
    # Never less than one at once.
    assert even_bucket(1, 5.0).burst_s == even_bucket(1, 5.0).interval_s


def test_a_limiter_s_first_requests_go_at_once_and_the_next_wait(host):
    limiter = make(host, Urgency.LIVE, rate=8, window_s=30.0)
    bucket = even_bucket(8, 30.0)
    waits = [limiter.take("/trades", bucket, False)[1] for _ in range(5)]
    assert waits == pytest.approx([0, 0, 5, 10, 15], abs=0.5)


def test_a_bulk_request_waits_for_its_turn_without_owing_anything(host):
    bulk = make(host, Urgency.BULK, rate=8, window_s=30.0)
    live = make(host, Urgency.LIVE, rate=8, window_s=30.0)
    bucket = even_bucket(8, 30.0)
    assert bulk.take("/trades", bucket, False) == (True, 0.0)
    waits = [bulk.take("/trades", bucket, False) for _ in range(3)]
    assert [taken for taken, _ in waits] == [False] * 3
    # One in 5 s / the share, one after the other.
    assert between([wait for _, wait in waits]) == pytest.approx([5 / BULK_SHARE] * 2, abs=0.5)
    assert live.take("/trades", bucket, False) == (True, 0.0)


def test_a_bulk_request_lets_waiting_live_ones_pass(host):
    bulk = make(host, Urgency.BULK, rate=8, window_s=30.0)
    live = make(host, Urgency.LIVE, rate=8, window_s=30.0)
    bucket = even_bucket(8, 30.0)
    for _ in range(4):
        assert live.take("/trades", bucket, False)[0]
    taken, wait_s = bulk.take("/trades", bucket, True)
    assert (taken, wait_s > 9) == (False, True)


def test_two_processes_share_one_limit(host):
    processes = [start(host, "live", tasks=6, seconds=3) for _ in range(2)]
    times = [ended(process) for process in processes]
    together = sorted(times[0] + times[1])
    assert min(map(len, times)) > 10, "both got their share"
    # Its own clock says when a token was taken; a process that sleeps too long sends later.
    assert busiest(together, WINDOW_S) <= RATE * 1.2
    # The best possible: a quarter at once, the rest at three quarters of the rate.
    possible = RATE * 0.25 + (together[-1] - together[0]) / WINDOW_S * RATE * 0.75
    assert 0.8 * possible < len(together) <= possible * 1.05


def test_live_requests_do_not_wait_behind_bulk_ones_of_another_process(host):
    bulk = start(host, "bulk", tasks=40, seconds=4)
    live = make(host, Urgency.LIVE)

    async def ask() -> list[float]:
        waits = []
        ends = time.monotonic() + 3
        while time.monotonic() < ends:
            asked = time.monotonic()
            await live.acquire("/trades")
            waits.append(time.monotonic() - asked)
            await asyncio.sleep(0.15)
        return waits

    time.sleep(1)
    waits = asyncio.run(ask())
    sent = ended(bulk)
    assert len(waits) > 15
    # One token takes 33 ms; forty bulk requests are waiting all the time.
    assert sorted(waits)[len(waits) // 2] < 0.05
    assert max(waits) < 0.5
    rate = len(sent) / (sent[-1] - sent[0])
    assert rate < RATE / WINDOW_S * 0.75 * BULK_SHARE * 1.15


def test_several_loops_use_one_limiter(host):
    limiter = make(host, Urgency.LIVE)
    sent: list[float] = []

    def run() -> None:
        async def ask() -> None:
            for _ in range(8):
                await limiter.acquire("/trades")
                sent.append(time.time())

        asyncio.run(ask())

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(sent) == 24
    assert busiest(sorted(sent), WINDOW_S) <= RATE * 1.2


def test_endpoints_that_have_no_limit_are_not_limited(host):
    limiter = make(host, Urgency.LIVE, rate=1, window_s=60)
    started = time.monotonic()
    asyncio.run(ask_often(limiter, "/else", 5))
    assert time.monotonic() - started < 1


def test_a_bucket_filled_by_a_clock_that_went_back_is_forgotten(host):
    limiter = make(host, Urgency.LIVE)
    with redis.Redis.from_url(django_settings.REDIS_URL) as client:
        client.set(f"limit:{{{host}}}:/trades", str(int((time.time() + 9_000) * 1e6)))
    started = time.monotonic()
    asyncio.run(ask_often(limiter, "/trades", 1))
    assert time.monotonic() - started < 2


def test_without_redis_each_process_keeps_a_part_of_the_limit_and_says_so_once(host):
    nowhere = redis.Redis.from_url("redis://127.0.0.1:9/0", socket_connect_timeout=1)
    alone = LocalLimiter({"/trades": RATE * 0.3}, WINDOW_S)
    limiter = SharedLimiter(
        nowhere, host, {"/trades": even_bucket(RATE, WINDOW_S)}, Urgency.LIVE, alone
    )
    started = time.monotonic()
    with capture_logs() as logs:
        asyncio.run(ask_often(limiter, "/trades", 10))
    # Six in half a second, of which two at once.
    assert 0.7 < time.monotonic() - started < 2.5
    assert [log["event"] for log in logs] == ["limit_kept_by_this_process_alone"]


@pytest.mark.slow
def test_once_redis_is_back_the_limit_is_shared_again(host, tmp_path, monkeypatch):
    monkeypatch.setattr(limiting, "AWAY_S", 0.1)
    folder = tmp_path / "var"
    folder.mkdir()
    folder.chmod(0o711)
    engines = Engines(folder, only=("valkey",), is_durable=False)
    engines.start()
    client = redis.Redis.from_url(engines.urls["REDIS_URL"], socket_timeout=1)
    limiter = SharedLimiter(
        client, host, {"/trades": even_bucket(RATE, WINDOW_S)}, Urgency.LIVE, Unlimited()
    )
    with capture_logs() as logs:
        asyncio.run(ask_often(limiter, "/trades", 2))
        engines.stop()
        asyncio.run(ask_often(limiter, "/trades", 2))
        engines.start()
        patience = Patience()
        while "limit_shared_again" not in [log["event"] for log in logs]:
            assert not patience.is_over()
            asyncio.run(ask_often(limiter, "/trades", 1))
            time.sleep(0.05)
    engines.stop()
    events = [log["event"] for log in logs]
    assert events == ["limit_kept_by_this_process_alone", "limit_shared_again"]


def test_history_is_bulk_and_limits_can_be_switched_off(settings):
    settings.EXCHANGE = "okx-sim"
    settings.OKX_REST_URL = "http://127.0.0.1:9"
    limiter = open_history("okx-sim")._limiter
    assert isinstance(limiter, SharedLimiter)
    assert (limiter._share, set(limiter._buckets)) == (BULK_SHARE, set(RATES))
    settings.OKX_LIMITS = False
    assert isinstance(open_history("okx-sim")._limiter, Unlimited)


def make(host, urgency, rate=RATE, window_s=WINDOW_S):
    limits_redis.cache_clear()
    return shared_limiter(host, {"/trades": rate}, window_s, urgency)


async def ask_often(limiter, endpoint, number):
    for _ in range(number):
        await limiter.acquire(endpoint)


def start(host, urgency, *, tasks, seconds):
    arguments = (host, urgency, str(RATE), str(WINDOW_S), str(tasks), str(seconds))
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "marketdata" / "limiter_client.py"), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "REDIS_URL": django_settings.REDIS_URL, "PYTHONPATH": str(ROOT)},
    )


def ended(process):
    output, _ = process.communicate(timeout=25)
    assert process.returncode == 0
    return json.loads(output)


def busiest(sent, window_s):
    """Return the most events of any window, wherever it begins."""
    ordered = sorted(sent)
    return max(
        sum(start <= at < start + window_s - 1e-6 for at in ordered[index:])
        for index, start in enumerate(ordered)
    )


def between(values):
    return [later - earlier for earlier, later in itertools.pairwise(values)]
