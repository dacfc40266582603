"""How often round trips came out how: a histogram whose edges people can read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_BINS: Final = 24
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Bin:
    """How many values lie in [low, high); the last bin holds its upper edge too."""

    low: float
    high: float
    count: int


def histogram(values: NDArray[np.float64], most: int = MOST_BINS) -> list[Bin]:
    """Return at most `most` + 1 bins of one round width, zero among their edges; none for none."""
    if not len(values):
        return []
    low, high = float(values.min()), float(values.max())
    width = _round_up((high - low) / most) if high > low else abs(high) or 1.0
    first, last = math.floor(low / width), max(math.ceil(high / width), math.floor(low / width) + 1)
    edges = np.arange(first, last + 1) * width
    counts, _ = np.histogram(values, edges)
    pairs = zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
    return [Bin(left, right, count) for left, right, count in pairs]


def _round_up(width: float) -> float:
    power = 10.0 ** math.floor(math.log10(width))
    return next(step * power for step in _STEPS if step * power >= width * (1 - 1e-12))
