"""How much of the best Sharpe ratio is luck: the more is tried, the better the best looks.

David Bailey and Marcos Lopez de Prado, The Deflated Sharpe Ratio, Journal of Portfolio Management
40 (5), 2014. Ratios here are per observation, not per year.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EULER: Final = 0.5772156649015329
_NORMAL: Final = NormalDist()
_FEWEST: Final = 30
"""Observations below which a ratio of them says nothing."""


@dataclass(frozen=True, slots=True)
class Deflated:
    """The chance that the true ratio is above zero, knowing how many were tried.

    `threshold` is the ratio that the best of so many worthless trials is expected to show.
    """

    probability: float
    sharpe: float
    threshold: float
    trials: int
    observations: int


def deflated_sharpe(
    returns: Floats, tried: Sequence[float], trials: int | None = None
) -> Deflated | None:
    """Return how far the best of several trials is above what luck alone would have brought.

    `returns` are the best one's, `tried` the ratios of all trials whose ratio is known, and
    `trials` how many there were, where that is more. None where too little is known: below 30
    returns or 2 ratios, and for returns that are all the same.
    """
    if len(returns) < _FEWEST or len(tried) < 2:
        return None
    spread = float(np.std(returns, ddof=1))
    if not spread > 0:
        return None
    sharpe = float(np.mean(returns)) / spread
    count = max(len(tried), trials or 0)
    threshold = expected_best(float(np.var(np.asarray(tried), ddof=1)), count)
    skew, kurtosis = _shape(returns)
    probability = probabilistic_sharpe(sharpe, threshold, len(returns), skew, kurtosis)
    if probability is None:
        return None
    return Deflated(probability, sharpe, threshold, count, len(returns))


def expected_best(variance: float, trials: int) -> float:
    """Return the best ratio to expect of `trials` (2 at least) that are worth nothing.

    `variance` is that of the trials' ratios.
    """
    first = _NORMAL.inv_cdf(1 - 1 / trials)
    second = _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - EULER) * first + EULER * second)


def probabilistic_sharpe(
    sharpe: float, benchmark: float, observations: int, skew: float, kurtosis: float
) -> float | None:
    """Return the chance that the true ratio is above `benchmark`.

    `kurtosis` is 3 for a normal distribution. None where the estimate has no variance.
    """
    variance = 1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2
    if not variance > 0:
        return None
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt(observations - 1) / math.sqrt(variance))


def _shape(returns: Floats) -> tuple[float, float]:
    """Return skewness and kurtosis."""
    apart = returns - np.mean(returns)
    second = float(np.mean(apart**2))
    return float(np.mean(apart**3)) / second**1.5, float(np.mean(apart**4)) / second**2
