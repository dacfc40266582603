"""Returns of every minute, summed up without keeping them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from backtests.domain.records import Integers

_BLOCK: Final = 16_384
"""Minutes at once: their floats stay within the processor's caches."""


@dataclass(frozen=True, slots=True)
class Bars:
    """What returns of bars come to, the first of them from the initial balance.

    `spread` is their deviation with ddof 1, `below` the root of the mean square of what is below
    zero, `gained` and `lost` the sums above and below it; `depth` is the deepest fall below the
    best close. All may be NaN or infinite where nothing was left.
    """

    count: int
    mean: float
    spread: float
    below: float
    gained: float
    lost: float
    depth: float


def bars_of(start: int, equity: Integers) -> Bars:
    """Return what the returns of an equity come to, block by block."""
    count, mean, squares = 0, 0.0, 0.0
    gained = lost = below = depth = 0.0
    last, best = float(start), -math.inf
    with np.errstate(divide="ignore", invalid="ignore"):
        for begin in range(0, len(equity), _BLOCK):
            worth = equity[begin : begin + _BLOCK].astype(np.float64)
            returns = worth / np.concatenate(([last], worth[:-1])) - 1.0
            falls = np.minimum(returns, 0.0)
            lost -= float(falls.sum())
            gained += float((returns - falls).sum())
            below += float(np.sum(falls * falls))
            # Means and squares of two parts put together (Chan, Golub and LeVeque 1979).
            size, part = len(worth), float(returns.mean())
            apart, total = part - mean, count + size
            squares += float(np.sum((returns - part) ** 2)) + apart**2 * count * size / total
            mean, count = mean + apart * size / total, total
            bests = np.maximum.accumulate(np.maximum(worth, best))
            depth = max(depth, float(np.max(1.0 - worth / bests)))
            last, best = float(worth[-1]), float(bests[-1])
    spread = math.sqrt(squares / (count - 1)) if count > 1 else math.nan
    return Bars(count, mean, spread, math.sqrt(below / count), gained, lost, depth)
