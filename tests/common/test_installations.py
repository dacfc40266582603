"""Whole installations: they heal, outlive their supervisor, leave nothing and disturb nobody."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tcpdashboard.embedded.folders import can_enter, unprivileged_user
from tcpdashboard.processes import wait_until
from tcpdashboard.supervisor import leftovers
from tests.processes import everything_of

ROOT = settings.BASE_DIR
# A busy machine may take its time: how long is not what these tests are about.
READY_S = 150
COMMAND = [sys.executable, "-m", "tcpdashboard.supervisor"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(480)]


class Installation:
    """What one person runs in one var folder; `user` is who, where root may choose."""

    def __init__(self, user: tuple[int, int] | None = None) -> None:
        self.var = Path(tempfile.mkdtemp(prefix="tcpd-up-"))
        self.var.chmod(0o711)
        self.identity: dict[str, object] = {}
        if user:
            os.chown(self.var, *user)
            self.identity = {"user": user[0], "group": user[1], "extra_groups": []}
        self.started: list[subprocess.Popen[bytes]] = []

    @property
    def environment(self) -> dict[str, str]:
        left_out = {"DATABASE_URL", "REDIS_URL", "TCPD_SECRET_KEY"}
        inherited = {name: value for name, value in os.environ.items() if name not in left_out}
        # A month of five instruments is loaded by others.
        return {**inherited, "TCPD_VAR": str(self.var), "TCPD_HISTORY_DAYS": "1"}

    def start(self) -> subprocess.Popen[bytes]:
        with (self.var / "out").open("ab") as out:
            up = subprocess.Popen(
                [*COMMAND, "--port", "0", "--exchange", "okx-sim"],
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                **self.identity,
            )
        self.started.append(up)
        return up

    @property
    def said(self) -> str:
        return (self.var / "out").read_text(errors="replace")

    @property
    def password(self) -> str:
        return (self.var / "admin-password").read_text().strip()

    def ready(self, times: int = 1) -> str:
        """Wait until it is ready for the `times`-th time; return its address."""

        def is_ready() -> bool:
            assert self.started[-1].poll() is None, self.said
            return self.said.count("ready after") >= times

        assert wait_until(is_ready, READY_S), self.said
        return re.findall(r"ready after \S+ s: (http\S+)", self.said)[-1]

    def stop(self) -> None:
        """Ask it to stop; it ends well, in time, and leaves nothing running."""
        started = time.monotonic()
        self.started[-1].send_signal(signal.SIGTERM)
        assert self.started[-1].wait(15) == 0
        assert time.monotonic() - started < 10
        assert wait_until(lambda: everything_of(self.var) == [], 30)

    def kill(self, name: str) -> None:
        rows = {}
        for file in ("programs.json", "engines.json"):
            found = json.loads((self.var / "run" / file).read_text())
            rows |= found.get("processes", found)
        os.kill(rows[name]["pid"], signal.SIGKILL)

    def close(self) -> None:
        for up in self.started:
            up.kill()
            up.wait()
        leftovers.stop_leftovers(self.var)
        shutil.rmtree(self.var, ignore_errors=True)


@pytest.fixture
def installation() -> Iterator[Installation]:
    with contextlib.closing(Installation()) as mine:
        yield mine


@pytest.fixture
def neighbour() -> Iterator[Installation]:
    """Somebody else's, where this is root and the other may read this checkout and its Python."""
    user = unprivileged_user()
    needed = (ROOT, Path(sys.executable).resolve().parent)
    is_possible = user is not None and all(can_enter(folder, user) for folder in needed)
    with contextlib.closing(Installation(user if is_possible else None)) as its:
        yield its


def test_an_installation_heals_outlives_its_supervisor_leaves_nothing_and_disturbs_nobody(
    installation: Installation, neighbour: Installation
) -> None:
    up = installation.start()
    url = installation.ready()
    neighbour.start()
    password = installation.password
    assert installation.said.count(password) == 1
    assert password not in (installation.var / "logs" / "up.log").read_text()
    with urllib.request.urlopen(f"{url}login/", timeout=10) as answer:
        assert answer.status == 200

    # A command beside it works on the same database.
    code = "from django.contrib.auth.models import User; print(User.objects.get().username)"
    beside = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "shell", "--no-imports", "-c", code],
        env=installation.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert beside.stdout.strip() == "admin", beside.stderr

    # A second start in the same folder is refused in one sentence.
    assert installation.start().wait(20) == 2
    assert "runs already with" in installation.said

    # Killed programs and engines come back, the port stays.
    for name in ("web", "postgres", "valkey"):
        installation.kill(name)
    assert wait_until(lambda: "postgres ended (killed by SIGKILL)" in installation.said, READY_S), (
        installation.said
    )
    assert wait_until(lambda: answers(f"{url}health/ready"), READY_S), installation.said
    its = neighbour.ready()
    before = everything_of(installation.var)
    assert len(before) > 6
    assert not set(before) & set(everything_of(neighbour.var))
    up.kill()
    up.wait()

    # What a killed supervisor leaves behind is cleaned up by the next start.
    installation.start()
    installation.ready(times=2)
    assert not set(before) & set(everything_of(installation.var))
    assert installation.said.count(password) == 1
    installation.stop()

    # Somebody else's, started meanwhile, has noticed none of it.
    assert its != url
    assert neighbour.password != password
    assert answers(f"{its}health/ready")
    assert "ended (" not in neighbour.said
    neighbour.stop()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
