"""The real processes of collection on engines of their own, so that each of them may be killed."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import environ
import psycopg2
import redis
from django.db import connections

from tcpdashboard.embedded import Engines
from tcpdashboard.processes import spawn
from tcpdashboard.supervisor.plan import WORKER
from tests.chaos.scenes import Scene
from tests.databases import address, do, fill_from_template
from tests.simulated_exchange import ROOT, SpawnedExchange

EXCHANGE: Final = "okx-sim"

EMPTY: Final = "empty"
"""The database that has all tables and nothing in them, for all templates."""

PROCESSES: Final = {
    "worker": ("worker", "-Q", "collect,ticks,repair,default", "-c", "8"),
    "collect": ("worker", "-Q", "collect", "-c", "4"),
    "light": ("worker", "-Q", "ticks,repair,default", "-c", "6"),
    "beat": ("beat", "--pidfile="),
}
QUICK: Final = {
    "TCPD_COLLECTOR_LEASE_SECONDS": "2",
    "TCPD_COLLECTOR_RENEW_SECONDS": "0.5",
    "TCPD_COLLECTOR_SWEEP_SECONDS": "1",
    "TCPD_COLLECTOR_HEARTBEAT_SECONDS": "1",
    "TCPD_COLLECTOR_RESTARTS_PER_HOUR": "1000",
    "TCPD_COLLECTOR_BACKOFF_SECONDS": "0.000001",
    "TCPD_CHANNEL_SILENCE_SECONDS": "2",
    "TCPD_CANDLE_SILENCE_SECONDS": "4",
    "TCPD_CHANNEL_RETRY_SECONDS": "1",
    "TCPD_GAP_SCAN_SECONDS": "2",
    "TCPD_REPAIR_SWEEP_SECONDS": "1",
    "TCPD_REPAIR_GRACE_SECONDS": "1",
    "TCPD_REPAIR_LEASE_SECONDS": "2",
    "TCPD_REPAIR_RETRY_SECONDS": "0.5",
    "TCPD_REPAIR_PAUSE_SECONDS": "0",
    "TCPD_OKX_LIMITS": "0",
    "TCPD_HISTORY_DAYS": "0",
}
"""What takes minutes in production takes seconds here."""

ENABLE: Final = """
from marketdata import services
from marketdata.loading.listing import sync_instruments
from marketdata.models import Instrument
sync_instruments("{exchange}")
for symbol in {symbols}:
    services.enable_instrument(Instrument.objects.named("{exchange}", symbol))
"""


@dataclass
class Ground:
    """Engines that serve many runs, each in a database of its own."""

    folder: Path
    engines: Engines
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    databases: set[str] = field(default_factory=set)

    def url(self, database: str) -> str:
        """Return the address of a database."""
        return address(self.engines.database_url, database)

    def make(self, database: str, template: str) -> None:
        """Make a database as the template is, in place of one of that name."""
        self.drop(database)
        self._do("create database {} template {}", database, template)
        self.databases.add(database)

    def drop(self, database: str) -> None:
        self._do("drop database if exists {} with (force)", database)
        self.databases.discard(database)

    def empty_valkey(self) -> None:
        """Forget everything that went through Valkey."""
        with redis.Redis.from_url(self.engines.urls["REDIS_URL"]) as client:
            client.flushall()

    def _do(self, statement: str, *names: str) -> None:
        do(self.engines.database_url, statement, *names)


@dataclass
class Stack:
    """The processes of one run in its database, all against `exchange`."""

    ground: Ground
    exchange: SpawnedExchange
    database: str = "tcpdashboard"
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

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

    def enable(self, symbols: Sequence[str]) -> None:
        """List the exchange's instruments and have some of them collected."""
        code = ENABLE.format(symbols=list(symbols), exchange=EXCHANGE)
        self.manage("shell", "-c", code)

    def start(self, *names: str) -> None:
        """Start processes of the table."""
        for name in names:
            kind, *options = PROCESSES[name]
            command = [sys.executable, "-m", "celery", "-A", "tcpdashboard", "-q", kind, *options]
            with (self.ground.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = spawn(
                    [*command, *(WORKER if kind == "worker" else ())],
                    env=self._env(),
                    cwd=ROOT,
                    output=log,
                    death_signal=signal.SIGKILL,
                )

    def kill(self, name: str) -> None:
        """Kill a process as a crash does, with all it started."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def restart_ended(self) -> None:
        """Start again what ended by itself, as the supervisor does."""
        self.start(*[name for name, one in self.processes.items() if one.poll() is not None])

    def query(self, text: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query on a connection of its own."""
        with (
            contextlib.closing(psycopg2.connect(self.ground.url(self.database))) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(text, parameters)
            return cursor.fetchall()

    def execute(self, statement: str) -> None:
        """Do something to the database; rows must be touched by it."""
        with (
            contextlib.closing(psycopg2.connect(self.ground.url(self.database))) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            assert cursor.rowcount > 0, f"nothing came of: {statement}"

    def stored_trades(self) -> int:
        """Return how many trades are committed."""
        count: int = self.query("select count(*) from marketdata_trade")[0][0]
        return count

    @contextlib.contextmanager
    def as_our_own(self) -> Iterator[None]:
        """Let the models of this process read the run's database."""
        ours = connections["default"]
        place = environ.Env.db_url_config(self.ground.url(self.database))
        theirs = type(ours)({**ours.settings_dict, **place}, "default")
        connections["default"] = theirs
        try:
            yield
        finally:
            theirs.close()
            connections["default"] = ours

    def stop(self) -> None:
        """End all processes. They are built to be killed."""
        for name in list(self.processes):
            self.kill(name)

    def logs(self) -> str:
        """Return the ends of all logs, for the message of a failed test."""
        logs = sorted(self.ground.folder.glob("*.log"))
        return "\n\n".join(f"{log.name}:\n{log.read_text()[-3000:]}" for log in logs)

    def _env(self) -> dict[str, str]:
        return {
            **os.environ,
            **self.ground.engines.urls,
            **QUICK,
            "DATABASE_URL": self.ground.url(self.database),
            "DJANGO_SETTINGS_MODULE": "tcpdashboard.settings",
            "TCPD_SECRET_KEY": self.ground.secret,
            "TCPD_VAR": str(self.ground.folder),
            "TCPD_EXCHANGE": EXCHANGE,
            "TCPD_OKX_REST_URL": self.exchange.rest,
            "TCPD_OKX_WS_URL": self.exchange.websocket,
        }


@contextlib.contextmanager
def running_ground() -> Iterator[Ground]:
    """Give running engines. What they committed survives a kill, though not a loss of power."""
    # Short: the database's socket lives below it.
    folder = Path(f"/tmp/tcpd-{random.SystemRandom().getrandbits(40):x}")
    folder.mkdir(mode=0o711)
    engines = Engines(folder, is_durable=False)
    engines.start()
    try:
        yield Ground(folder, engines)
    finally:
        engines.stop()
        shutil.rmtree(folder, ignore_errors=True)


def prepare(ground: Ground, scene: Scene, exchange: SpawnedExchange) -> None:
    """Make the template of a scene's runs: a database in which its symbols are to be collected."""
    if EMPTY not in ground.databases:
        ground.make(EMPTY, "template1")
        fill_from_template(ground.url(EMPTY))
    ground.make(scene.template, EMPTY)
    Stack(ground, exchange, scene.template).enable(scene.symbols)


@contextlib.contextmanager
def running_stack(ground: Ground, template: str, exchange: SpawnedExchange) -> Iterator[Stack]:
    """Give a stack on a copy of `template`; its processes are started by the test."""
    database = f"run_{random.SystemRandom().getrandbits(40):x}"
    ground.make(database, template)
    ground.empty_valkey()
    for log in ground.folder.glob("*.log"):
        if log.stem in PROCESSES:
            log.unlink()
    stack = Stack(ground, exchange, database)
    try:
        yield stack
    finally:
        stack.stop()
        ground.drop(database)


def eventually(stack: Stack, what: str, condition: Callable[[], bool], within_s: float) -> float:
    """Wait until `condition` holds; return how long it took. Engines may be away meanwhile."""
    started = time.monotonic()
    while time.monotonic() - started < within_s and stack.exchange.process.poll() is None:
        with contextlib.suppress(psycopg2.Error):
            if condition():
                return time.monotonic() - started
        time.sleep(0.05)
    ended = stack.exchange.process.poll() is not None
    why = "the exchange has ended" if ended else f"not within {within_s:.0f} s"
    raise AssertionError(f"{why}: {what}\n\n{stack.logs()}")
