"""How many connections this process has, and how many it may have."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from weakref import WeakSet

from django.db import OperationalError

LIMITS: Final = {
    "web": 40,
    "sockets": 24,
    "worker-collect": 48,
    "worker-light": 24,
    "worker-ticks": 8,
    "worker-default": 24,
    "worker-repair": 12,
    "worker-backtests": 3,
    "beat": 4,
}
"""The most connections of a process, by the name that TCPD_PROCESS gives it.

Those of worker-backtests are of each of its children. A backend takes a moment to go when its
connection is closed, so that the server may count a few more.
"""

LIMIT_OF_A_COMMAND: Final = 16
"""The most of any other process: a command that somebody runs."""

_POLL_S: Final = 0.01


def limit_of(process: str) -> int:
    """Return the most connections of a process of that name, unless it is told another."""
    return LIMITS.get(process, LIMIT_OF_A_COMMAND)


class Slots:
    """Counts open connections; one that was dropped without being closed is not forgotten.

    Whoever wants one more than `limit` waits for up to `patience_s` seconds.
    """

    def __init__(self, limit: int, patience_s: float = 10.0) -> None:
        self.limit = limit
        self._patience_s = patience_s
        self.forget()

    def forget(self) -> None:
        """Start anew: a forked process has none of its parent's connections."""
        self._lock = threading.Lock()
        self._open: WeakSet[Any] = WeakSet()
        self._opening = 0

    @property
    def used(self) -> int:
        """How many are open, or being opened."""
        return self._opening + sum(not connection.closed for connection in self._open)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a slot while a connection is made. Raises OperationalError when none gets free."""
        deadline = time.monotonic() + self._patience_s
        while not self._take():
            if time.monotonic() > deadline:
                raise OperationalError(
                    f"all {self.limit} database connections of this process are in use:"
                    " see TCPD_DB_CONNECTIONS"
                )
            time.sleep(_POLL_S)
        try:
            yield
        finally:
            with self._lock:
                self._opening -= 1

    def fill(self, connection: Any) -> None:
        """Count a connection for as long as it is open."""
        with self._lock:
            self._open.add(connection)

    def _take(self) -> bool:
        with self._lock:
            is_free = self.used < self.limit
            self._opening += is_free
            return is_free


_slots: Slots | None = None


def slots() -> Slots:
    """Return the slots of this process."""
    global _slots
    if _slots is None:
        from django.conf import settings

        _slots = Slots(settings.DB_CONNECTIONS or limit_of(settings.PROCESS))
        os.register_at_fork(after_in_child=_slots.forget)
    return _slots
