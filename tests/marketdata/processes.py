"""Real Celery processes against the test session's engines and a simulated exchange."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from tests.patience import PATIENCE_S, Witness
from tests.simulated_exchange import SpawnedExchange

ROOT = Path(__file__).resolve().parents[2]

WORKER = (
    *("worker", "--pool", "threads", "--concurrency", "8"),
    *("--queues", "collect,ticks,repair,default", "--disable-prefetch"),
    *("--without-mingle", "--without-gossip", "--loglevel", "info"),
)
BEAT = ("beat", "--pidfile", "", "--loglevel", "info")


class Celery:
    """One Celery process; its log is at `log`."""

    def __init__(self, arguments: tuple[str, ...], env: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "tcpdashboard.celery", *arguments],
                cwd=ROOT,
                env=env,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def terminate(self) -> float:
        """Ask to end as a supervisor does; return the seconds it took of a machine that works."""
        with Witness() as witness:
            started = time.monotonic()
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(PATIENCE_S) == 0
            took_s = time.monotonic() - started
        return took_s - witness.longest_s

    def kill(self) -> None:
        """End as a crash does."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)


@contextmanager
def celery(
    arguments: tuple[str, ...], exchange: SpawnedExchange, folder: Path, **more: str
) -> Iterator[Celery]:
    """Run a Celery process that collects from `exchange`; kill it at the end if it still runs."""
    process = Celery(arguments, environment(exchange, folder, **more), folder / "celery.log")
    try:
        yield process
    finally:
        process.kill()


def environment(exchange: SpawnedExchange, folder: Path, **more: str) -> dict[str, str]:
    """Return what a process of the project needs to use this test's engines and `exchange`."""
    return {
        **database_environment(folder),
        "TCPD_EXCHANGE": "okx-sim",
        "TCPD_OKX_REST_URL": exchange.rest,
        "TCPD_OKX_WS_URL": exchange.websocket,
        **more,
    }


def database_environment(folder: Path) -> dict[str, str]:
    """Return what a process of the project needs to use this test's engines."""
    # The session's server, and on it the database of this test.
    name = connection.settings_dict["NAME"]
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}")
    return {
        **os.environ,
        "DATABASE_URL": database.geturl(),
        "REDIS_URL": settings.REDIS_URL,
        "TCPD_VAR": str(folder),
    }
