"""What runs on this machine."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil

from tcpdashboard.processes import processes_with
from tcpdashboard.supervisor import leftovers


def everything_of(var: Path) -> list[int]:
    """Return each process that mentions the var folder in its command, working folder or mark."""
    found = {process.pid for process in processes_with(leftovers.MARK, str(var))}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(str(var) in part for part in (*process.cmdline(), process.cwd())):
                found.add(process.pid)
    return sorted(found)
