"""What a strategy's process may use, and how it is held to it, which is done in the child."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TextIO

_MB = 1_048_576
_LARGEST_FILE = 64 * _MB


@dataclass(frozen=True, slots=True)
class Limits:
    """`memory_mb` beyond what the interpreter has when it is ready; `output_kb` of a request."""

    deadline_s: float = 30.0
    memory_mb: int = 1_024
    output_kb: int = 256


class Refused(BaseException):
    """A strategy did what it may not. Not an Exception, so that it is not caught by the way."""


class CappedOutput:
    """Standard output that counts, and refuses the print that is one too many."""

    def __init__(self, file: TextIO, limit_kb: int) -> None:
        self._file, self._limit_kb, self._left = file, limit_kb, limit_kb * 1024

    def write(self, text: str) -> int:
        self._left -= len(text)
        if self._left < 0:
            raise Refused(f"it printed more than {self._limit_kb} kB")
        return self._file.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return False

    def refill(self) -> None:
        """Begin to count anew."""
        self._left = self._limit_kb * 1024


def hold_to(limits: Limits) -> CappedOutput:
    """Limit this process for good; return its standard output."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * resource.getpagesize() + limits.memory_mb * _MB
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE, _LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os._exit = _refuse_exit
    output = CappedOutput(sys.stdout, limits.output_kb)
    sys.stdout = sys.stderr = output
    return output


def _refuse_exit(status: int) -> NoReturn:
    raise Refused(f"it called os._exit({status})")
