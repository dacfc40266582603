"""The real processes of collection on engines of their own, so that each of them may be killed."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from tcpdashboard.embedded import Engines
from tests.simulated_exchange import ROOT, SpawnedExchange

TABLES = {
    "marketdata_trade": "executed_at, trade_id, price, size, count, side",
    "marketdata_candle": (
        "timeframe, open_time, open, high, low, close, volume, quote_volume, trade_count, "
        "first_trade_id, last_trade_id, minutes, source"
    ),
    "marketdata_opening": "open_time, price, trade_id, executed_at",
}
"""What must be equal: every column but received, closed, committed, revision."""

WORKER_OPTIONS = ("-P", "threads", "--disable-prefetch", "--without-mingle", "--without-gossip")


@dataclass
class Stack:
    """Engines, one collecting worker and beat, all against `exchange`."""

    folder: Path
    engines: Engines
    exchange: SpawnedExchange
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    def manage(self, *arguments: str, timeout_s: float = 60) -> str:
        """Run a management command to its end and return what it printed."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            env=self._env(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start_worker(self) -> None:
        """Start the worker that collects."""
        self._celery("worker", "worker", "-Q", "collect,ticks,default", "-c", "8", *WORKER_OPTIONS)

    def start_beat(self) -> None:
        """Start the clock of the sweeps."""
        self._celery("beat", "beat", "--pidfile=")

    def kill_worker(self) -> None:
        """Kill the worker as a crash does, with all it started."""
        os.killpg(self.processes["worker"].pid, signal.SIGKILL)
        self.processes.pop("worker").wait(10)

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query on a connection of its own."""
        with (
            contextlib.closing(psycopg2.connect(self.engines.database_url)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(sql, parameters)
            return cursor.fetchall()

    def stored_trades(self) -> int:
        """Return how many trades are committed."""
        count: int = self.query("select count(*) from marketdata_trade")[0][0]
        return count

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return the compared columns of all tables, in order."""
        return {
            table: self.query(f"select {columns} from {table} order by {columns}")
            for table, columns in TABLES.items()
        }

    def stop(self) -> None:
        """End all processes."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        self.processes.clear()

    def logs(self) -> str:
        """Return the ends of all logs, for the message of a failed test."""
        ends = [f"{log.name}:\n{log.read_text()[-3000:]}" for log in self.folder.glob("*.log")]
        return "\n\n".join(ends)

    def _celery(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "tcpdashboard", "-q", *arguments],
                env=self._env(),
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _env(self) -> dict[str, str]:
        return {
            **os.environ,
            **self.engines.urls,
            "DJANGO_SETTINGS_MODULE": "tcpdashboard.settings",
            "TCPD_SECRET_KEY": self.secret,
            "TCPD_VAR": str(self.folder),
            "TCPD_EXCHANGE": "okx-sim",
            "TCPD_OKX_REST_URL": self.exchange.rest,
            "TCPD_OKX_WS_URL": self.exchange.websocket,
            "TCPD_COLLECTOR_LEASE_SECONDS": "2",
            "TCPD_COLLECTOR_RENEW_SECONDS": "0.5",
            "TCPD_COLLECTOR_SWEEP_SECONDS": "1",
        }


@contextlib.contextmanager
def running_stack(folder: Path, exchange: SpawnedExchange) -> Iterator[Stack]:
    """Give a stack with migrated, durable engines; its processes are started by the test."""
    folder.mkdir(mode=0o711)
    engines = Engines(folder)
    engines.start()
    stack = Stack(folder, engines, exchange)
    try:
        stack.manage("migrate", "-v0")
        yield stack
    finally:
        stack.stop()
        engines.stop()
        shutil.rmtree(folder, ignore_errors=True)


def eventually(stack: Stack, what: str, condition: Callable[[], bool], within_s: float) -> float:
    """Wait until `condition` holds; return how long it took. Engines may be away meanwhile."""
    started = time.monotonic()
    while time.monotonic() - started < within_s:
        with contextlib.suppress(psycopg2.Error):
            if condition():
                return time.monotonic() - started
        time.sleep(0.05)
    raise AssertionError(f"not within {within_s:.0f} s: {what}\n\n{stack.logs()}")
