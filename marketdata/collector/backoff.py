"""Waiting between attempts: exponential, capped, with full jitter."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Delays for one thing that is tried again and again.

    Each delay is a random part of a ceiling that doubles from `base_s` to `cap_s`, so that many
    clients which lost the same server do not come back together.
    """

    def __init__(
        self, base_s: float, cap_s: float, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        if not 0 < base_s <= cap_s:
            raise ValueError(f"expected 0 < base_s <= cap_s; got {base_s} and {cap_s}")
        self._base_s, self._cap_s, self._uniform = base_s, cap_s, uniform
        self._ceiling_s = base_s

    def next_delay_s(self) -> float:
        """Return how long to wait now; the one after may be twice as long.

        Never less than a tenth of the ceiling: a delay of almost nothing is a busy loop.
        """
        ceiling = self._ceiling_s
        self._ceiling_s = min(self._cap_s, ceiling * 2)
        return self._uniform(ceiling / 10, ceiling)

    def reset(self) -> None:
        """Start again at the base: the last attempt was a success."""
        self._ceiling_s = self._base_s
