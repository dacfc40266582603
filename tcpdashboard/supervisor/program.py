"""What to run, and how one running program is doing."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
ASK_EVERY_S = 0.2
# A program that ran this long was well; its next failure is a new story.
HEALTHY_AFTER_S = 30.0


class Kind(Enum):
    """When a program's end is news."""

    ENGINE = auto()
    """Restarted; stopped after all others."""
    SERVICE = auto()
    """Restarted."""
    STEP = auto()
    """Runs once; when it fails, nothing that needs it can start, and everything stops."""
    TASK = auto()
    """Runs once; when it fails it is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program. `command` is asked at every start, after `before`; `is_ready` is polled.

    `is_wanted` is asked once, when all needs are met; what is not wanted counts as ready.
    """

    name: str
    command: Callable[[], list[str]]
    kind: Kind = Kind.SERVICE
    needs: tuple[str, ...] = ()
    env: Callable[[], dict[str, str]] = dict
    before: Callable[[], None] = lambda: None
    is_ready: Callable[[], bool] = lambda: True
    is_wanted: Callable[[], bool] = lambda: True
    user: Callable[[], tuple[int, int] | None] = lambda: None
    stop_signal: signal.Signals = signal.SIGTERM
    pass_fds: tuple[int, ...] = ()


@dataclass(slots=True)
class Running:
    """The state of one program under the supervisor."""

    program: Program
    process: subprocess.Popen[bytes] | None = None
    is_ready: bool = False
    is_over: bool = False
    restarts: int = 0
    started_at: float = 0.0
    not_before: float = 0.0
    ask_again_at: float = 0.0
    output: bytearray = field(default_factory=bytearray)

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def check_ready(self) -> bool:
        """Say whether what needs this program may start; asked again until it is so once."""
        can_tell = self.is_alive and self.program.kind in (Kind.ENGINE, Kind.SERVICE)
        if not self.is_ready and can_tell and time.monotonic() >= self.ask_again_at:
            self.is_ready = self.program.is_ready()
            self.ask_again_at = time.monotonic() + ASK_EVERY_S
        return self.is_ready

    def delay_restart(self) -> float:
        """Set when to start again, later with every quick failure; return the delay in seconds."""
        now = time.monotonic()
        if now - self.started_at > HEALTHY_AFTER_S:
            self.restarts = 0
        delay = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2**self.restarts)
        self.restarts += 1
        self.not_before = now + delay
        return float(delay)
