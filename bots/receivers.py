"""A minute closed: its bots are asked for, off the thread that collects."""

from __future__ import annotations

import threading
from typing import Any, Final

from bots.tasks import tick
from tcpdashboard.common.hints import hint

_IDLE_S: Final = 60.0


class Hinter:
    """Sends hints from a thread of its own; those for one instrument that wait are one."""

    def __init__(self) -> None:
        self._waiting: dict[int, None] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def ask(self, instrument_id: int) -> None:
        """Have an instrument stepped soon; returns at once."""
        with self._changed:
            self._waiting[instrument_id] = None
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="tick hints", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while (instrument_id := self._next()) is not None:
            hint(tick, instrument_id)

    def _next(self) -> int | None:
        """Return what waits longest; None, ending the thread, after a while without anything."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting, _IDLE_S):
                self._thread = None
                return None
            instrument_id = next(iter(self._waiting))
            del self._waiting[instrument_id]
            return instrument_id


_hinter: Final = Hinter()


def on_minute_closed(*, instrument_id: int, **_rest: Any) -> None:
    """Ask for the step of an instrument's bots."""
    _hinter.ask(instrument_id)
