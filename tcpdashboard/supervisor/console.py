"""One log of many programs: each line with the name of its program, in its colour."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
from pathlib import Path
from typing import TextIO

from tcpdashboard.common.logfiles import SharedLogFile
from tcpdashboard.common.logs import wants_color

COLORS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
RESET, BOLD, RED = "\x1b[0m", "\x1b[1m", "\x1b[31m"
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
OWN_NAME = "up"


class Console:
    """Writes lines to the terminal, and without colours to a rotated file."""

    def __init__(self, names: list[str], file: SharedLogFile | None, out: TextIO | None = None):
        self.out = out or sys.stdout
        self.file = file
        self.has_color = wants_color(self.out)
        self.width = max(map(len, [OWN_NAME, *names]))
        self._colors = {name: COLORS[n % len(COLORS)] for n, name in enumerate(names)}

    def line(self, name: str, text: str) -> None:
        """Write one line of a program."""
        self._show(name, text)
        self._keep(f"{name:<{self.width}} | {_ESCAPES.sub('', text)}")

    def say(self, text: str) -> None:
        """Write a line of the supervisor itself."""
        self.line(OWN_NAME, text)

    def announce(self, text: str, *, is_secret: bool = False) -> None:
        """Write a line that a person must see; a secret one stays out of the file."""
        self._show(OWN_NAME, f"{BOLD}{text}{RESET}" if self.has_color else text)
        if not is_secret:
            self._keep(f"{OWN_NAME:<{self.width}} | {text}")

    def _show(self, name: str, text: str) -> None:
        label = f"{name:<{self.width}} |"
        if self.has_color:
            label = f"\x1b[{self._colors.get(name, 37)}m{label}{RESET}"
        # A closed terminal must not keep the supervisor from stopping its programs.
        with contextlib.suppress(OSError, ValueError):
            self.out.write(f"{label} {text}\n")
            self.out.flush()

    def _keep(self, line: str) -> None:
        if self.file:
            self.file.handle(logging.makeLogRecord({"msg": line}))


def log_file(folder: str, *, file_mb: float, files: int, days: float) -> SharedLogFile | None:
    """Return the rotated file of the merged log in `folder`; None when there is no folder."""
    if not folder:
        return None
    file = SharedLogFile(
        Path(folder) / "up.log",
        max_bytes=round(file_mb * 1_000_000),
        keep_files=files,
        keep_days=days,
    )
    file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    return file
