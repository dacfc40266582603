"""A long curve as few points that still show every extreme."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from backtests.domain.records import Integers


def thinned(values: Integers, most: int) -> NDArray[np.intp]:
    """Return the indices to show of `values`: at most `most`, ascending.

    The first and the last, and the lowest and the highest of equally long parts between them, so
    that no fall disappears. `most` is at least 4.
    """
    if len(values) <= most:
        return np.arange(len(values))
    parts = (most - 2) // 2
    edges = np.linspace(0, len(values), parts + 1).astype(np.intp)
    kept = [0, len(values) - 1]
    for first, end in pairwise(edges.tolist()):
        part = values[first:end]
        kept += [first + int(part.argmin()), first + int(part.argmax())]
    return np.unique(kept)
