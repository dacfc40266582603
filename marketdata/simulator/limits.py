"""Requests allowed in a time, counted over a sliding window."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable


class Window:
    """At most `count` events within `seconds` for each key."""

    def __init__(self, count: int, seconds: float) -> None:
        self._count = count
        self._seconds = seconds
        self._times: dict[Hashable, deque[float]] = {}

    def allows(self, key: Hashable, now_s: float) -> bool:
        """Count an event at `now_s` if it is allowed; return whether it is."""
        times = self._times.setdefault(key, deque())
        while times and times[0] <= now_s - self._seconds:
            times.popleft()
        if len(times) >= self._count:
            return False
        times.append(now_s)
        return True
