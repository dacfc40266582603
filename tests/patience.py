"""Waiting and timing that do not fail because the machine stood still for some seconds."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")

PATIENCE_S: Final = 60.0
"""Much longer than anything takes that tests wait for; only what hangs waits for it in vain."""

_LONGEST_LOOK_S: Final = 0.5
_TICK_S: Final = 0.02


class Patience:
    """A deadline in seconds of a machine that works: of a standstill half a second counts."""

    def __init__(self, seconds: float = PATIENCE_S) -> None:
        self._left_s, self._looked_s = seconds, time.monotonic()

    def is_over(self) -> bool:
        """Whether the time is up; asked again and again while something is waited for."""
        now_s = time.monotonic()
        self._left_s -= min(now_s - self._looked_s, _LONGEST_LOOK_S)
        self._looked_s = now_s
        return self._left_s < 0


def until(condition: Callable[[], Any], what: Any = "", *, seconds: float = PATIENCE_S) -> None:
    """Return as soon as `condition` holds; AssertionError, with `what` it was, when it never does.

    A `what` that can be called is, when the time is up.
    """
    patience = Patience(seconds)
    while not condition():
        assert not patience.is_over(), f"waited too long: {what() if callable(what) else what}"
        time.sleep(0.01)


async def becomes(
    condition: Callable[[], Any], what: Any = "", *, seconds: float = PATIENCE_S
) -> None:
    """Do what `until` does while the event loop goes on."""
    patience = Patience(seconds)
    while not condition():
        assert not patience.is_over(), f"waited too long: {what() if callable(what) else what}"
        await asyncio.sleep(0.005)


class Witness:
    """Measures while it is entered for how long the machine stood still at most, in seconds."""

    def __enter__(self) -> Witness:
        self.longest_s = 0.0
        self._ended = threading.Event()
        self._ticking = threading.Thread(target=self._tick, daemon=True)
        self._ticking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._ticking.join()

    def _tick(self) -> None:
        seen_s = time.monotonic()
        while not self._ended.wait(_TICK_S):
            now_s = time.monotonic()
            self.longest_s = max(self.longest_s, now_s - seen_s - _TICK_S)
            seen_s = now_s
        self.longest_s = max(self.longest_s, time.monotonic() - seen_s - _TICK_S)


def steadily(scenario: Callable[[], T], standstill_s: float, *, tries: int = 5) -> T:
    """Return what `scenario` does; its AssertionError counts only where the machine went on.

    It is repeated after a failure in which the machine stood still for `standstill_s`.
    """
    while True:
        tries -= 1
        with Witness() as witness:
            try:
                return scenario()
            except AssertionError as error:
                failure = error
        if not tries or witness.longest_s < standstill_s:
            raise failure


async def steadily_awaited(
    scenario: Callable[[], Awaitable[T]], standstill_s: float, *, tries: int = 5
) -> T:
    """Do what `steadily` does with something that is awaited."""
    while True:
        tries -= 1
        with Witness() as witness:
            try:
                return await scenario()
            except AssertionError as error:
                failure = error
        if not tries or witness.longest_s < standstill_s:
            raise failure
