"""What the processes of an installation use: processor time and memory, by kind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tcpdashboard.supervisor.plan import WORKER
from tests.benchmarks.market import execute

_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
_OWN, _WITH_ENDED = slice(11, 13), slice(11, 15)
"""Of /proc/<pid>/stat behind the name: its own time, and that of children that have ended."""

KINDS: Final = {
    "worker-collect": ("worker", "-Q", "collect", "-c", "16", *WORKER),
    "worker-light": ("worker", "-Q", "ticks,default", "-c", "12", *WORKER),
    "worker-repair": ("worker", "-Q", "repair", "-c", "6", *WORKER),
    "beat": ("beat", "--pidfile="),
}
"""As `./dev up` starts them, but for what collects nothing."""


@contextmanager
def celery(kind: str, env: dict[str, str], folder: Path) -> Iterator[int]:
    """Run one of KINDS; yield its process id."""
    command = [sys.executable, "-m", "celery", "-A", "tcpdashboard", "-q", *KINDS[kind]]
    with (folder / f"{kind}.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        try:
            yield process.pid
        finally:
            process.kill()
            process.wait()


def engines() -> dict[str, int]:
    """Return the process ids of the database and of Valkey."""
    from django.conf import settings
    from redis import Redis

    folder = Path(execute("show data_directory")[0][0])
    with Redis.from_url(settings.REDIS_URL) as valkey:
        server: Any = valkey.info("server")
    first = (folder / "postmaster.pid").read_text().splitlines()[0]
    return {"postgres": int(first), "valkey": int(server["process_id"])}


def cpu_s(pid: int) -> float:
    """Return the processor seconds of a process, and of its children of now and before."""
    return _ticks(pid, _WITH_ENDED) + sum(_ticks(child, _OWN) for child in _children(pid))


def memory_mb(pid: int) -> float:
    """Return the memory of a process and its children; what they share counts once."""
    return sum(_proportional_kb(each) for each in (pid, *_children(pid))) / 1024


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _ticks(pid: int, which: slice) -> float:
    try:
        said = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, said.rpartition(")")[2].split()[which])) / _TICKS_A_SECOND


def _proportional_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
