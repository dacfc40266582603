"""What else could have happened: the same round trips in another order, or drawn anew.

Shuffling keeps the return and shows how much of the drawdown was the order's; drawing with
replacement (Efron's bootstrap, 1979) shows how far the return itself may lie from what was seen.
The account is looked at after each round trip, so falls within one do not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backtests.domain.roundtrips import RoundTrips

Floats = NDArray[np.float64]

RUNS: Final = 1_000
QUANTILES: Final = (5, 25, 50, 75, 95)
_FEWEST: Final = 2
_POINTS: Final = 100
_BLOCK: Final = 1_000_000
"""Numbers of a block of runs: what bounds the memory, however many round trips there are."""


def growths(trips: RoundTrips, start: int) -> Floats:
    """Return what each closed round trip multiplied the account by, from `start` cash units on.

    Not below 0: an account that is lost stays lost.
    """
    profits = trips["profit"][trips["is_closed"]]
    before = start + np.concatenate(([0], np.cumsum(profits)[:-1])) if len(profits) else profits
    grown: Floats = np.divide(profits, before, out=np.zeros(len(profits)), where=before > 0)
    return np.maximum(1.0 + grown, 0.0)


def monte_carlo(factors: Floats, seed: int, runs: int = RUNS) -> dict[str, Any] | None:
    """Return bands of return and drawdown for JSON; None below two round trips.

    `factors` are those of `growths`. The same seed gives the same bands, to the last bit.
    """
    if len(factors) < _FEWEST:
        return None
    shown = np.unique(np.linspace(0, len(factors) - 1, _POINTS).astype(np.intp))
    shuffled = _Bands(shown)
    for paths in _paths(factors, seed, runs, is_drawn=False):
        shuffled.add(paths)
    drawn = _Bands(shown)
    for paths in _paths(factors, seed, runs, is_drawn=True):
        drawn.add(paths)
    actual = np.asarray(np.cumprod(factors)[None, :], np.float64)
    return {
        "round_trips": len(factors),
        "runs": runs,
        "seed": seed,
        "total_return": float(actual[0, -1] - 1.0),
        "max_drawdown": float(drawdowns(actual)[0]),
        "shuffle": {"max_drawdown": _quantiles(shuffled.falls)},
        "bootstrap": {
            "total_return": _quantiles(drawn.returns),
            "max_drawdown": _quantiles(drawn.falls),
            "loss_share": float(np.mean(drawn.returns < 0)),
        },
        "fan": {
            "round_trip": (shown + 1).tolist(),
            **{f"p{at}": _course(drawn, at) for at in QUANTILES},
        },
    }


def drawdowns(paths: Floats) -> Floats:
    """Return the largest fall of each path (a row, from 1 on) below its best so far."""
    best = np.maximum(np.maximum.accumulate(paths, axis=1), 1.0)
    falls: Floats = np.max(1.0 - paths / best, axis=1)
    return np.maximum(falls, 0.0)


class _Bands:
    """What is kept of the runs: ends, falls, and the courses at a few round trips."""

    def __init__(self, shown: NDArray[np.intp]) -> None:
        self._shown = shown
        self._kept: list[tuple[Floats, Floats, Floats]] = []

    def add(self, paths: Floats) -> None:
        self._kept.append((paths[:, -1] - 1.0, drawdowns(paths), paths[:, self._shown]))

    @property
    def returns(self) -> Floats:
        return np.concatenate([kept[0] for kept in self._kept])

    @property
    def falls(self) -> Floats:
        return np.concatenate([kept[1] for kept in self._kept])

    @property
    def courses(self) -> Floats:
        return np.concatenate([kept[2] for kept in self._kept])


def _paths(factors: Floats, seed: int, runs: int, *, is_drawn: bool) -> Iterator[Floats]:
    """Yield the runs in blocks, a row each."""
    random = np.random.Generator(np.random.Philox(key=[seed, int(is_drawn)]))
    size = max(1, _BLOCK // len(factors))
    for done in range(0, runs, size):
        count = min(size, runs - done)
        if is_drawn:
            chosen = factors[random.integers(0, len(factors), (count, len(factors)))]
        else:
            chosen = random.permuted(np.tile(factors, (count, 1)), axis=1)
        yield np.asarray(np.cumprod(chosen, axis=1), np.float64)


def _quantiles(values: Floats) -> dict[str, float]:
    found = np.percentile(values, QUANTILES)
    return {f"p{at}": float(value) for at, value in zip(QUANTILES, found, strict=True)}


def _course(bands: _Bands, at: int) -> list[float]:
    course: list[float] = np.percentile(bands.courses, at, axis=0).tolist()
    return course
