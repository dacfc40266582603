"""TimescaleDB as WebAssembly, in a process of its own, as Django's database.

It has one backend for all connections, ends at messages above 64 kB and at COPY from the client,
and runs no background jobs: what is tested is what migrations, policies and plain statements do.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

FOLDER = Path(__file__).parent


@pytest.fixture(scope="session")
def node() -> str:
    """The program that runs the server; without it, or its packages, these tests are skipped."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed: TimescaleDB as WebAssembly needs version 20 or later")
    if not (FOLDER / "node_modules").is_dir():
        pytest.skip("its packages are not installed: run `npm ci` in tests/timescale, once")
    return found


@pytest.fixture(scope="module")
def migrated(node: str, django_db_blocker) -> Iterator[DatabaseWrapper]:
    """A database that was migrated with the extension there."""
    with (
        timescale_server(node) as port,
        as_default(port, django_db_blocker) as database,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("django.conf.settings.TIMESCALE", "on")
        call_command("migrate", verbosity=0)
        yield database


@pytest.fixture
def plain(node: str, django_db_blocker) -> Iterator[DatabaseWrapper]:
    """A database that was migrated while TimescaleDB was not to be used; now it may be."""
    with (
        timescale_server(node) as port,
        as_default(port, django_db_blocker) as database,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("django.conf.settings.TIMESCALE", "off")
        call_command("migrate", verbosity=0)
        patch.setattr("django.conf.settings.TIMESCALE", "on")
        yield database


@contextmanager
def timescale_server(node: str) -> Iterator[int]:
    """Give the port of a new server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [node, "server.mjs", str(port)], cwd=FOLDER, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield port
    finally:
        server.kill()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()


@contextmanager
def as_default(port: int, blocker) -> Iterator[DatabaseWrapper]:
    """Let Django's default connection of this thread be one to that server."""
    usual = connections["default"]
    address = {"NAME": "postgres", "USER": "postgres", "PASSWORD": "postgres"}
    address |= {"HOST": "127.0.0.1", "PORT": str(port), "OPTIONS": {"sslmode": "disable"}}
    options = {"DISABLE_SERVER_SIDE_CURSORS": True, "CONN_HEALTH_CHECKS": False}
    ours = DatabaseWrapper({**usual.settings_dict, **address, **options}, "default")
    with blocker.unblock():
        connections["default"] = ours
        try:
            yield ours
        finally:
            ours.close()
            connections["default"] = usual
