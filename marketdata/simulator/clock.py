"""The exchange's clock: kept on disk, never going back, as fast as its readers can follow."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

_LONGEST_STEP_S: Final = 0.1
"""A loop that was held up for longer loses the time: the exchange slows down, nothing skips."""
_RESERVE_S: Final = 1.0


class WrongState(ValueError):
    """The state folder belongs to another market: use another folder, or the same market."""


class ExchangeClock:
    """Exchange time in ms since the epoch, `speed` times as fast as wall time.

    The file always holds a time that the clock has not passed yet, so that a killed server goes
    on later than it stopped, never earlier; a server that stops in peace goes on where it was.
    """

    def __init__(self, folder: Path, identity: str, start_ms: int, speed: float) -> None:
        self._file = folder / "clock.json"
        self._identity = identity
        self.speed = speed
        stored = self._stored()
        self._now = float(start_ms if stored is None else stored)
        self.started_ms = self.now_ms
        self._reserved = self.now_ms
        self._save(self.now_ms)

    @property
    def now_ms(self) -> int:
        return int(self._now)

    def target(self, elapsed_s: float) -> float:
        """Return where the clock may go after `elapsed_s` of wall time, in ms."""
        return self._now + min(elapsed_s, _LONGEST_STEP_S) * 1000.0 * self.speed

    def advance(self, to_ms: float) -> None:
        """Move to `to_ms`; a time that is already past changes nothing."""
        self._now = max(self._now, to_ms)
        if self.now_ms > self._reserved:
            self._save(self.now_ms + int(_RESERVE_S * 1000.0 * max(1.0, self.speed)))

    def close(self) -> None:
        """Write the exact time."""
        self._save(self.now_ms)

    def _stored(self) -> int | None:
        if not self._file.exists():
            return None
        state = json.loads(self._file.read_text())
        if state["market"] != self._identity:
            raise WrongState(
                f"{self._file.parent} holds the clock of another market ({state['market']}), not "
                f"of {self._identity}: name another state folder, or delete this one"
            )
        return int(state["exchange_ms"])

    def _save(self, time_ms: int) -> None:
        self._reserved = time_ms
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps({"exchange_ms": time_ms, "market": self._identity}))
        os.replace(fresh, self._file)  # noqa: PTH105
