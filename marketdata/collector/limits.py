"""Request limits kept on this machine, for all threads of the process together."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping


class LocalLimiter:
    """A bucket of tokens for each endpoint, refilled evenly.

    `rates` maps an endpoint to its requests in every `window_s` seconds; endpoints that are not
    listed are not limited. One object may be used by several asyncio loops at once.
    """

    def __init__(
        self,
        rates: Mapping[str, int],
        window_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval_s = {endpoint: window_s / rate for endpoint, rate in rates.items()}
        self._window_s = window_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        # When the bucket of an endpoint is full again; never further ahead than requests wait.
        self._full_at: dict[str, float] = {}

    def reserve(self, endpoint: str) -> float:
        """Take one token and return how many seconds to wait before it may be used."""
        interval = self._interval_s.get(endpoint)
        if interval is None:
            return 0.0
        with self._lock:
            now = self._monotonic()
            full_at = max(now, self._full_at.get(endpoint, now)) + interval
            self._full_at[endpoint] = full_at
        # Half the window may be spent in a burst: the exchange counts in windows of its own, and
        # a burst of one whole window next to an even second half would break two of them.
        return max(0.0, full_at - now - self._window_s / 2)

    async def acquire(self, endpoint: str) -> None:
        """Return when one request to `endpoint` may be sent."""
        delay = self.reserve(endpoint)
        if delay > 0:
            await asyncio.sleep(delay)
