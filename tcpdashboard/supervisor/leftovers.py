"""What an earlier supervisor that was killed left running, found and stopped."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterable
from pathlib import Path

from tcpdashboard.embedded.folders import write_private
from tcpdashboard.processes import ProcessIdentity, processes_with, stop_groups

MARK = "TCPD_SUPERVISED"
"""The environment variable, holding the var folder, that every supervised program inherits."""

GRACE_S = 8.0


def record(var_dir: Path, processes: dict[str, int]) -> None:
    """Write down which programs run, by name and process number."""
    found = {name: ProcessIdentity.of(pid) for name, pid in processes.items()}
    rows = {n: {"pid": p.pid, "started": p.started} for n, p in found.items() if p}
    write_private(_path(var_dir), json.dumps(rows, indent=1) + "\n")


def forget(var_dir: Path) -> None:
    """Remove the record after a clean stop."""
    _path(var_dir).unlink(missing_ok=True)


def stop_leftovers(var_dir: Path) -> list[str]:
    """Stop every program of an earlier supervisor of `var_dir`; return what was still running."""
    recorded = dict(_recorded(var_dir))
    running = {process.pid: name for name, process in recorded.items() if process.is_running()}
    # Their children, and programs whose record was lost with the machine's power.
    marked = processes_with(MARK, str(var_dir))
    names = [running.get(process.pid, f"process {process.pid}") for process in marked]
    leaders = [process for process in recorded.values() if process.is_running()]
    stop_groups([*leaders, *marked], first=signal.SIGTERM, grace_s=GRACE_S)
    forget(var_dir)
    return sorted({*names, *running.values()})


def _recorded(var_dir: Path) -> Iterable[tuple[str, ProcessIdentity]]:
    with contextlib.suppress(FileNotFoundError, ValueError):
        for name, row in json.loads(_path(var_dir).read_text()).items():
            yield name, ProcessIdentity(row["pid"], row["started"])


def _path(var_dir: Path) -> Path:
    return var_dir / "run" / "programs.json"
