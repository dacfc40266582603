"""The loop that moves the exchange's clock and pushes what happens on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from marketdata.simulator.books import SLICE_MS
from marketdata.simulator.clock import ExchangeClock

_TICK_S: Final = 0.01
_FAST: Final = 10.0
_FAST_SLICE_MS: Final = 1000


class Engine:
    """Moves time on in slices, never while a reader lags, never past the end of a tape."""

    def __init__(
        self,
        clock: ExchangeClock,
        step: Callable[[int, int, bool], None],
        is_wanted: Callable[[], bool],
        is_lagging: Callable[[], bool],
        end_ms: int | None,
        is_held: bool,
        grid_ms: int = SLICE_MS,
    ) -> None:
        self._clock = clock
        self._step = step
        self._is_wanted = is_wanted
        self._is_lagging = is_lagging
        self._end_ms = end_ms
        self.is_held = is_held
        self._grid_ms = grid_ms

    @property
    def has_ended(self) -> bool:
        """Whether the tape is over."""
        return self._end_ms is not None and self._clock.now_ms >= self._end_ms

    async def run(self) -> None:
        """Run until cancelled."""
        last_s = time.monotonic()
        while True:
            await asyncio.sleep(_TICK_S)
            now_s = time.monotonic()
            elapsed_s, last_s = now_s - last_s, now_s
            self.is_held = self.is_held and not self._is_wanted()
            if not self.is_held and not self.has_ended:
                await self._advance(self._target(elapsed_s))

    def _target(self, elapsed_s: float) -> float:
        target = self._clock.target(elapsed_s)
        return target if self._end_ms is None else min(target, float(self._end_ms))

    async def _advance(self, target_ms: float) -> None:
        """Go to the target slice by slice; stop on the way when a reader lags."""
        size = SLICE_MS if self._clock.speed <= _FAST else _FAST_SLICE_MS
        while self._clock.now_ms < int(target_ms) and not self._is_lagging():
            after_ms = self._clock.now_ms
            edge_ms = after_ms - after_ms % size + size
            self._clock.advance(min(float(edge_ms), target_ms))
            now_ms = self._clock.now_ms
            is_on_grid = now_ms == edge_ms and now_ms % self._grid_ms == 0
            self._step(after_ms, now_ms, is_on_grid or self.has_ended)
            await asyncio.sleep(0)
        # Keeps the fraction of a millisecond, so that slow speeds do not stand still.
        if self._clock.now_ms == int(target_ms):
            self._clock.advance(target_ms)
