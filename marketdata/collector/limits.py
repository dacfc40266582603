"""Request limits kept on this machine, for all threads of the process together."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

EVEN_SHARE: Final = 0.75


@dataclass(frozen=True, slots=True)
class Bucket:
    """Tokens that refill one in every `interval_s`, and of which `burst_s` worth may go at once."""

    interval_s: float
    burst_s: float


def even_bucket(requests: float, window_s: float) -> Bucket:
    """Return the bucket that keeps within `requests` in any window, wherever it begins.

    A quarter of them may go at once and the rest follow at three quarters of the rate.
    """
    interval_s = window_s / (requests * EVEN_SHARE)
    return Bucket(interval_s, max(window_s * (1 - EVEN_SHARE) / EVEN_SHARE, interval_s))


class Unlimited:
    """Lets every request pass at once; for benchmarks against an exchange of one's own."""

    async def acquire(self, endpoint: str) -> None:
        """Return at once."""


class LocalLimiter:
    """A bucket of tokens for each endpoint, refilled evenly.

    `rates` maps an endpoint to its requests in any `window_s` seconds (see `even_bucket`);
    endpoints that are not listed are not limited. One object may be used by several asyncio loops
    at once.
    """

    def __init__(
        self,
        rates: Mapping[str, float],
        window_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._buckets = {endpoint: even_bucket(rate, window_s) for endpoint, rate in rates.items()}
        self._monotonic = monotonic
        self._lock = threading.Lock()
        # When the bucket of an endpoint will be full again.
        self._full_at: dict[str, float] = {}

    def reserve(self, endpoint: str) -> float:
        """Take one token and return how many seconds to wait before it may be used."""
        bucket = self._buckets.get(endpoint)
        if bucket is None:
            return 0.0
        with self._lock:
            now = self._monotonic()
            full_at = max(now, self._full_at.get(endpoint, now)) + bucket.interval_s
            self._full_at[endpoint] = full_at
        return max(0.0, full_at - now - bucket.burst_s)

    async def acquire(self, endpoint: str) -> None:
        """Return when one request to `endpoint` may be sent."""
        delay = self.reserve(endpoint)
        if delay > 0:
            await asyncio.sleep(delay)
