"""Operating-system processes: who one is, how it is started and how it is stopped for good."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

POLL_S = 0.05
PR_SET_PDEATHSIG = 1
_PROC = Path("/proc")
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process that cannot be confused with a later one of the same number."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """Return the identity of `pid`, or None when no such process runs."""
        started = _started(pid)
        return cls(pid, started) if started else None

    def is_running(self) -> bool:
        return _started(self.pid) == self.started


def spawn(
    command: list[str],
    *,
    env: dict[str, str],
    output: int | IO[bytes],
    user: tuple[int, int] | None = None,
    death_signal: int | None = None,
    cwd: Path | None = None,
    pass_fds: Iterable[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `command` as the leader of its own process group, both outputs to `output`.

    `user` is (uid, gid) to run as. `death_signal` is sent to it when this process dies (Linux
    only); call from the main thread then: "this process" is the calling thread to the kernel.
    """
    identity: dict[str, Any] = {}
    if user:
        identity = {"user": user[0], "group": user[1], "extra_groups": []}
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=cwd,
        pass_fds=tuple(pass_fds),
        start_new_session=True,
        # One prctl call, which takes no lock of Python's.
        preexec_fn=_die_with_parent(death_signal),
        **identity,
    )


def stop_groups(
    processes: Iterable[ProcessIdentity], *, first: int = signal.SIGTERM, grace_s: float
) -> None:
    """Send `first` to each group, SIGKILL after `grace_s` seconds; return when all are gone.

    For processes that are not children of this one; a number taken over by another is left alone.
    """
    running = [process for process in processes if process.is_running()]
    for process in running:
        signal_group(process.pid, first)
    wait_until(lambda: not any(p.is_running() for p in running), grace_s)
    for process in running:
        if process.is_running():
            signal_group(process.pid, signal.SIGKILL)
    wait_until(lambda: not any(p.is_running() for p in running), 5)


def signal_group(pid: int, number: int) -> None:
    """Send a signal to the group that `pid` leads, or to `pid` alone when it leads none."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


def kill_group(leader: int) -> None:
    """Kill what is left of the group of a child started by `spawn`, ended or not."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def wait_until(is_done: Callable[[], bool], timeout_s: float) -> bool:
    """Poll until `is_done()` or `timeout_s` passed; return what it said last."""
    deadline = time.monotonic() + timeout_s
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def processes_in(folder: Path, program: str) -> list[ProcessIdentity]:
    """Return processes called `program` whose working folder is `folder` (Linux; else none)."""
    return [p for p in _all() if _cwd(p.pid) == folder and _name(p.pid) == program]


def processes_with(variable: str, value: str) -> list[ProcessIdentity]:
    """Return processes started with the environment variable at that value (Linux; else none)."""
    entry = f"{variable}={value}".encode()
    return [p for p in _all() if p.pid != os.getpid() and entry in _environment(p.pid)]


def _die_with_parent(number: int | None) -> Callable[[], None] | None:
    if number is None or _LIBC is None:
        return None
    libc = _LIBC

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, number)

    return ask


def _started(pid: int) -> str:
    if not _PROC.is_dir():
        done = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()
    try:
        # The name in parentheses may hold spaces; what follows the last one is regular.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    state, ticks_since_boot = fields[0], fields[19]
    return "" if state in "ZX" else f"{_boot()}:{ticks_since_boot}"


def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def _all() -> Iterator[ProcessIdentity]:
    entries = _PROC.iterdir() if _PROC.is_dir() else iter(())
    for entry in entries:
        if entry.name.isdigit() and (found := ProcessIdentity.of(int(entry.name))):
            yield found


def _cwd(pid: int) -> Path | None:
    with contextlib.suppress(OSError):
        return Path(_PROC / str(pid) / "cwd").readlink()
    return None


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / "comm").read_text().strip()
    return ""


def _environment(pid: int) -> list[bytes]:
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    return []
