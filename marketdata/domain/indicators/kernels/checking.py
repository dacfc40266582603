"""What is asked of columns before anything is computed from them, in one pass each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.compiling import compiled
from marketdata.domain.indicators.kernels.types import Floats


@compiled
def is_finite(values: Floats) -> bool:
    """Return whether no value is infinite or NaN."""
    wrong = 0
    for index in range(len(values)):
        # Either of them taken from itself is NaN.
        wrong += values[index] - values[index] != 0.0
    return wrong == 0


@compiled
def shortest_and_late(times_ms: NDArray[np.int64], limit_ms: int) -> tuple[int, int]:
    """Return the shortest wait from time to time, and how many are longer than `limit_ms`."""
    shortest, late = np.iinfo(np.int64).max, 0
    for index in range(1, len(times_ms)):
        wait_ms = times_ms[index] - times_ms[index - 1]
        shortest = min(shortest, wait_ms)
        late += wait_ms > limit_ms
    return shortest, late
