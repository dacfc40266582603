"""Both engines of one var folder: start, restart, stop, and the record that others attach by."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import psycopg2

from tcpdashboard.embedded import valkey
from tcpdashboard.embedded.errors import CannotStartError
from tcpdashboard.embedded.folders import claim, write_private
from tcpdashboard.embedded.postgres import ENVIRONMENT, Postgres
from tcpdashboard.embedded.valkey import Valkey
from tcpdashboard.processes import ProcessIdentity, spawn, stop_groups, wait_until

# Replaying two gigabytes of log after a crash takes most of a minute.
START_TIMEOUT_S = 90.0
STOP_GRACE_S = 10.0
LARGEST_LOG_BYTES = 5_000_000
VARIABLES = {"postgres": "DATABASE_URL", "valkey": "REDIS_URL"}

Engine = Postgres | Valkey


class Engines:
    """The embedded engines of one var folder, as children of this process.

    `only` names the ones wanted ("postgres", "valkey"; default both). With `dies_with_parent` they
    are stopped by the kernel when this process is killed (Linux).
    """

    def __init__(
        self,
        var_dir: Path,
        *,
        only: tuple[str, ...] = ("postgres", "valkey"),
        is_durable: bool = True,
        dies_with_parent: bool = True,
    ) -> None:
        self.var_dir = Path(var_dir).resolve()
        self.dies_with_parent = dies_with_parent
        every: list[Engine] = [
            Postgres(self.var_dir, is_durable=is_durable),
            Valkey(self.var_dir),
        ]
        self.engines = {engine.name: engine for engine in every if engine.name in only}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def urls(self) -> dict[str, str]:
        """Addresses by environment variable: DATABASE_URL and REDIS_URL."""
        return {VARIABLES[name]: engine.url for name, engine in self.engines.items()}

    @property
    def database_url(self) -> str:
        return self.engines["postgres"].url

    @property
    def redis_url(self) -> str:
        return self.engines["valkey"].url

    def start(self) -> None:
        """Start the engines; return when they answer. Raises CannotStartError when one does not."""
        claim(self.var_dir)
        stop_recorded(self.var_dir)
        try:
            for name in self.engines:
                self.launch(name)
            for name in self.engines:
                self.wait_for(name)
        except BaseException:
            self.stop()
            raise
        self.record()

    def launch(self, name: str) -> subprocess.Popen[bytes]:
        """Start one engine without waiting; a second time it gets the address it had."""
        engine = self.engines[name]
        engine.prepare()
        with open_log(self.var_dir / f"{name}.log") as log:
            self.processes[name] = spawn(
                engine.command(),
                env=ENVIRONMENT,
                output=log,
                user=engine.user,
                death_signal=engine.stop_signal if self.dies_with_parent else None,
                cwd=Path("/"),
            )
        return self.processes[name]

    def wait_for(self, name: str) -> None:
        """Wait until an engine answers. Raises CannotStartError when it ends or takes too long."""
        process, engine = self.processes[name], self.engines[name]
        wait_until(lambda: engine.answers() or process.poll() is not None, START_TIMEOUT_S)
        if process.poll() is not None or not engine.answers():
            raise CannotStartError(
                f"{name} did not start: {last_line(self.var_dir / f'{name}.log')} "
                f"(see {self.var_dir / name}.log)"
            )

    def restart(self, name: str, *, how: int = signal.SIGKILL) -> None:
        """Stop one engine by a signal (default: kill it) and start it on the same address."""
        self.processes[name].send_signal(how)
        self.processes[name].wait(START_TIMEOUT_S)
        self.launch(name)
        self.wait_for(name)
        self.record()

    def stop(self) -> None:
        """Stop the engines, Postgres by a fast shutdown; nothing committed is lost."""
        for name, process in self.processes.items():
            process.send_signal(self.engines[name].stop_signal)
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_GRACE_S)
            if process.poll() is None:
                process.kill()
                process.wait()
        self.processes.clear()
        record_path(self.var_dir).unlink(missing_ok=True)

    def record(self) -> None:
        """Write down addresses and processes, for those who attach and for the next start."""
        write_record(self.var_dir, self.urls, {n: p.pid for n, p in self.processes.items()})


def open_log(path: Path) -> IO[bytes]:
    """Open an engine's log to add to it, for its owner alone; a large one is moved aside first."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > LARGEST_LOG_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    # An earlier release let others read it.
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "ab")


def record_path(var_dir: Path) -> Path:
    """Return where running engines are written down (mode 600: it holds a password)."""
    return var_dir / "run" / "engines.json"


def write_record(var_dir: Path, addresses: dict[str, str], pids: dict[str, int]) -> None:
    """Write down addresses by environment variable, and the engines' processes by name."""
    found = {name: ProcessIdentity.of(pid) for name, pid in pids.items()}
    rows = {n: {"pid": p.pid, "started": p.started} for n, p in found.items() if p}
    text = json.dumps({"addresses": addresses, "processes": rows}, indent=1)
    write_private(record_path(var_dir), text + "\n")


def recorded_addresses(var_dir: Path) -> dict[str, str] | None:
    """Return the addresses of engines that run in `var_dir`, by variable; None if none answer.

    Besides DATABASE_URL and REDIS_URL there may be those of the exchange that is in use.
    """
    urls: dict[str, str] = _read_record(var_dir).get("addresses", {})
    if not urls:
        return None
    database, redis = urls.get("DATABASE_URL"), urls.get("REDIS_URL")
    if database and not _database_answers(database):
        return None
    if redis:
        parts = urlsplit(redis)
        if not valkey.answers(parts.port or 0, parts.password or ""):
            return None
    return urls


def stop_recorded(var_dir: Path) -> None:
    """Stop engines that an earlier process started in `var_dir` and left running."""
    recorded = _read_record(var_dir).get("processes", {})
    for name, found in recorded.items():
        first = signal.SIGINT if name == "postgres" else signal.SIGTERM
        process = ProcessIdentity(found["pid"], found["started"])
        stop_groups([process], first=first, grace_s=STOP_GRACE_S)
    record_path(var_dir).unlink(missing_ok=True)


def last_line(log: Path) -> str:
    """Return the last line of a log file, or a remark that it is empty."""
    with contextlib.suppress(OSError):
        lines = log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it wrote nothing"
    return "it wrote nothing"


def _read_record(var_dir: Path) -> dict[str, Any]:
    with contextlib.suppress(FileNotFoundError, ValueError):
        found = json.loads(record_path(var_dir).read_text())
        return found if isinstance(found, dict) else {}
    return {}


def _database_answers(url: str) -> bool:
    try:
        psycopg2.connect(url, connect_timeout=2).close()
    except psycopg2.OperationalError:
        return False
    return True
