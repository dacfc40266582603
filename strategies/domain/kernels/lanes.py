"""What the kernels that walk several parameter sets side by side have in common."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.compiling import compiled

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Codes = NDArray[np.int8]

LANES: Final = 16
"""Sets that are walked together: what the registers of a processor hold."""


@compiled
def meeting(first: int, end: int, starts: Integers, warmups: Integers) -> int:
    """Return from where on all lanes of the stretch `[first, end)` can go together.

    Each begins at its start, if that is within the stretch, and is by itself for its warm-up.
    """
    together = first
    for lane in range(LANES):
        together = max(together, max(first, starts[lane]) + warmups[lane])
    return min(together, end)


@compiled
def side_code(difference: float, least: float) -> int:
    """Return 1 for above and 2 for below, by more than `least`; 0 for neither, or NaN."""
    return (difference > least) + 2 * (-difference > least)
