"""From a click to a stored result: a request over REST, and a worker that does it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model

from tests.benchmarks.figures import Figure, percentile

TARGET_MS = 1_500
ROUNDS = 7
PATIENCE_S = 120.0


def clicks(instrument: Any, span: tuple[int, int]) -> list[Figure]:
    """Return how long a year takes from the request to the stored result, the first and later."""
    from rest_framework.test import APIClient

    client = APIClient(HTTP_HOST="localhost")
    client.force_login(get_user_model().objects.create_user("bench"))
    asked = {
        "strategy": "ema_crossover",
        "exchange": instrument.exchange,
        "symbol": instrument.symbol,
        "start": utc(span[0]),
        "end": utc(span[1]),
        "trading": {"cash": 1_000_000},
    }
    with worker():
        first, *later = [click(client, asked) for _ in range(ROUNDS)]
    middle = percentile(later, 50)
    target = f"below {TARGET_MS} ms"
    name = "click to stored result over REST"
    return [
        Figure(f"{name}, first", first, "ms", target, first < TARGET_MS, "nothing cached"),
        Figure(f"{name}, later", middle, "ms", target, middle < TARGET_MS),
    ]


def click(client: Any, asked: dict[str, Any]) -> float:
    """Ask for one and wait for its result; return the time in ms."""
    began = time.perf_counter()
    answer = client.post("/api/v1/backtests/", asked, format="json")
    assert answer.status_code == 201, answer.content
    url = f"/api/v1/backtests/{answer.json()['id']}/"
    while (shown := client.get(url).json())["state"] in ("waiting", "running"):
        assert time.perf_counter() - began < PATIENCE_S, shown
        time.sleep(0.005)
    assert shown["state"] == "done", shown
    return (time.perf_counter() - began) * 1000


@contextmanager
def worker() -> Iterator[None]:
    """Run a worker of backtests as an installation does, until the end of the block."""
    from tcpdashboard.supervisor.plan import COMPUTER

    log = Path(settings.VAR_DIR) / "worker.log"
    command = [sys.executable, "-m", "celery", "-A", "tcpdashboard", "worker", "-Q", "backtests"]
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, "-c", "1", *COMPUTER, "--loglevel", "info"],
            env={**os.environ, "TCPD_LOG_LEVEL": "INFO"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        began = time.monotonic()
        while "ready." not in log.read_text():
            assert time.monotonic() - began < PATIENCE_S, log.read_text()[-2000:]
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)


def utc(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
