"""Request limits kept on this machine, for all threads of the process together."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

EVEN_SHARE: Final = 0.75


class LocalLimiter:
    """A bucket of tokens for each endpoint, refilled evenly.

    `rates` maps an endpoint to its requests in any `window_s` seconds; endpoints that are not
    listed are not limited. A quarter of them may go at once and the rest follow at three quarters
    of the rate, so that no window of the exchange holds more, wherever it begins. One object may
    be used by several asyncio loops at once.
    """

    def __init__(
        self,
        rates: Mapping[str, int],
        window_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval_s = {
            endpoint: window_s / (rate * EVEN_SHARE) for endpoint, rate in rates.items()
        }
        self._burst_s = window_s * (1 - EVEN_SHARE) / EVEN_SHARE
        self._monotonic = monotonic
        self._lock = threading.Lock()
        # When the bucket of an endpoint will be full again.
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
        return max(0.0, full_at - now - max(self._burst_s, interval))

    async def acquire(self, endpoint: str) -> None:
        """Return when one request to `endpoint` may be sent."""
        delay = self.reserve(endpoint)
        if delay > 0:
            await asyncio.sleep(delay)
