"""Fan-out: one publish to the last receipt by 500 browsers, against the server's ceiling.

Real uvicorn, real sessions, one topic; the clients are a process of their own.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from tests.benchmarks.figures import Figure

CLIENTS = 500
PUBLISHES = 120
PAUSE_S = 0.3
SETTLE_S = 3.0
TARGET_P99_MS = 80


@dataclass(frozen=True, slots=True)
class Fanout:
    """Latencies of one server in ms from the publish call to the receipt by the last client."""

    name: str
    clients: int
    publishes: int
    complete: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    first_p50_ms: float
    server_cpu_s: float
    clients_cpu_s: float


def run() -> list[Figure]:
    """Return the figures of the ceiling, ours and stock Channels, measured in this order."""
    ceiling, ours, stock = measure_all()
    is_met = ours.p99_ms < TARGET_P99_MS and ours.complete == ours.publishes
    return [
        Figure(
            f"fan-out to {ours.clients} sockets, publish to last receipt, p99",
            ours.p99_ms,
            "ms",
            f"below {TARGET_P99_MS} ms",
            is_met,
            note(ours),
        ),
        Figure("ceiling: plain ASGI application, p99", ceiling.p99_ms, "ms", note=note(ceiling)),
        Figure("stock Channels, pub/sub layer, p99", stock.p99_ms, "ms", note=note(stock)),
    ]


def note(fanout: Fanout) -> str:
    """Say the rest of what was measured."""
    cpu_ms = fanout.server_cpu_s / fanout.publishes * 1000
    return (
        f"p50 {fanout.p50_ms} ms, max {fanout.max_ms} ms, "
        f"first client p50 {fanout.first_p50_ms} ms; "
        f"{fanout.complete} of {fanout.publishes} reached everybody; "
        f"server {fanout.server_cpu_s} CPU s ({cpu_ms:.1f} ms a publish), "
        f"clients {fanout.clients_cpu_s} CPU s"
    )


def measure_all(clients: int = CLIENTS, publishes: int = PUBLISHES) -> list[Fanout]:
    """Measure the ceiling, ours and stock Channels one after the other, on a migrated database."""
    from tcpdashboard.common.realtime import TopicPublisher

    cookies = make_sessions(clients)
    publisher = TopicPublisher(os.environ["REDIS_URL"])
    # A name of its own: nothing is kept from an earlier run.
    topic = f"candles:bench-{secrets.token_hex(4)}:BTC-USDT:1m"
    subscribe = json.dumps({"op": "subscribe", "topics": [topic]})
    apps = "tests.benchmarks.fanout_apps"
    with stock_group_send() as group_send:
        return [
            measure(
                "ceiling: plain ASGI", f"{apps}:plain", "", plain_publish(), cookies, publishes
            ),
            measure(
                "ours",
                "tcpdashboard.asgi:application",
                subscribe,
                lambda payload: publisher.publish(topic, payload),
                cookies,
                publishes,
            ),
            measure("stock Channels", f"{apps}:channels", "", group_send, cookies, publishes),
        ]


def measure(
    name: str,
    application: str,
    hello: str,
    publish: Callable[[dict[str, Any]], object],
    cookies: list[str],
    publishes: int,
) -> Fanout:
    """Start the server and the clients, publish, and return the figures."""
    with (
        server(application) as (port, process),
        client_process(port, hello, cookies) as (stdin, stdout),
    ):
        cpu_before = cpu_s(process.pid)
        sent = [publish_one(publish, number) for number in range(publishes)]
        time.sleep(SETTLE_S)
        server_cpu_s = cpu_s(process.pid) - cpu_before
        stdin.write("report\n")
        stdin.flush()
        report = json.loads(stdout.readline())
    return figures(name, len(cookies), sent, report, server_cpu_s)


def publish_one(publish: Callable[[dict[str, Any]], object], number: int) -> int:
    """Publish a candle with its number after a pause; return when the call began."""
    time.sleep(PAUSE_S)
    candle = [1_767_268_800_000, 93_412.1, 93_480.0, 93_377.7, 93_401.3, 12.34567891, 0]
    started_ns = time.monotonic_ns()
    publish({"candle": candle, "exchange_ms": 1_767_268_812_345, "n": number})
    return started_ns


def figures(
    name: str, clients: int, sent: list[int], report: dict[str, Any], server_cpu_s: float
) -> Fanout:
    """Turn arrivals into figures; publishes that did not reach everybody are not complete."""
    arrivals = {int(number): entry for number, entry in report["arrivals"].items()}
    complete = [number for number in range(len(sent)) if arrivals.get(number, [0])[0] == clients]
    last = sorted((arrivals[number][2] - sent[number]) / 1e6 for number in complete)
    first = [(arrivals[number][1] - sent[number]) / 1e6 for number in complete]
    return Fanout(
        name=name,
        clients=clients,
        publishes=len(sent),
        complete=len(complete),
        p50_ms=round(statistics.median(last), 1),
        p99_ms=round(last[min(len(last) - 1, int(len(last) * 0.99))], 1),
        max_ms=round(last[-1], 1),
        first_p50_ms=round(statistics.median(first), 1),
        server_cpu_s=round(server_cpu_s, 2),
        clients_cpu_s=round(report["cpu_s"], 2),
    )


def make_sessions(count: int) -> list[str]:
    """Create users who are logged in and return their cookies."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore

    run = secrets.token_hex(4)
    users = User.objects.bulk_create(
        User(username=f"bench-{run}-{number}", password="!") for number in range(count)
    )
    cookies = []
    for user in users:
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.create()
        cookies.append(f"{settings.SESSION_COOKIE_NAME}={session.session_key}")
    return cookies


def plain_publish() -> Callable[[dict[str, Any]], object]:
    """Return a bare PUBLISH, without keeping anything."""
    from redis import Redis

    redis = Redis.from_url(os.environ["REDIS_URL"])
    return lambda payload: redis.publish("bench-plain", json.dumps(payload, separators=(",", ":")))


@contextmanager
def stock_group_send() -> Iterator[Callable[[dict[str, Any]], object]]:
    """Give a function that sends to the group through the channel layer, on one kept loop."""
    from channels.layers import get_channel_layer

    from tests.benchmarks import fanout_apps  # noqa: F401 - it sets the layer up

    layer = get_channel_layer()
    with asyncio.Runner() as runner:

        def send(payload: dict[str, Any]) -> object:
            text = json.dumps(payload, separators=(",", ":"))
            return runner.run(
                layer.group_send("bench-channels", {"type": "bench.message", "text": text})
            )

        yield send


@contextmanager
def server(application: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run `application` under uvicorn as production does, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", application),
            *("--host", "127.0.0.1", "--port", str(port), "--ws", "websockets-sansio"),
            *("--ws-per-message-deflate", "false", "--log-level", "warning", "--no-access-log"),
        ],
        # Static files were not collected, and are not asked for.
        env={**os.environ, "PYTHONWARNINGS": "ignore::UserWarning"},
    )
    try:
        wait_for_port(port, process)
        yield port, process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when the server answers. Raises RuntimeError when it ends or after 30 s."""
    for _ in range(600):
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError("the server did not start")


@contextmanager
def client_process(port: int, hello: str, cookies: list[str]) -> Iterator[tuple[IO[str], IO[str]]]:
    """Run the clients and wait until each has its first message."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.fanout_clients"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    order = {"port": port, "path": "/ws/stream/", "hello": hello, "cookies": cookies}
    process.stdin.write(json.dumps(order) + "\n")
    process.stdin.flush()
    try:
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the clients did not connect")
        yield process.stdin, process.stdout
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cpu_s(pid: int) -> float:
    """Return the CPU seconds a process has used."""
    import psutil

    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
