"""Comparing values where rounding may be all that is left of a difference."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.compiling import compiled

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Values nearer to each other than this share of their size are equal: after a long rest of the
# price, two averages differ by nothing but what rounding has left of their past.
SAME: Final = 1e-12


@compiled
def exceeds(left: Floats, right: Floats, size: Floats, above: Bools) -> None:
    """Write where `left` is above `right` by more than rounding of numbers of `size`."""
    for index in range(len(left)):
        above[index] = left[index] - right[index] > SAME * abs(size[index])


@compiled
def side(
    left: Floats, right: Floats, size: Floats, above: float, below: float, targets: Floats
) -> None:
    """Write `above` or `below`, by the side of `right` that `left` is on; NaN for neither."""
    for index in range(len(left)):
        difference, least = left[index] - right[index], SAME * abs(size[index])
        if difference > least:
            targets[index] = above
        elif -difference > least:
            targets[index] = below
        else:
            targets[index] = math.nan
