"""Several accounts together: their sum over time, how alike they move, and their weeks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

DAY_MS: Final = 86_400_000
WEEK_MS: Final = 7 * DAY_MS
FEWEST_DAYS: Final = 10
"""Days on which two accounts must both have moved before their likeness is told."""

_MONDAY_MS: Final = 4 * DAY_MS  # 1970-01-01 was a Thursday

Values = NDArray[np.float64]
Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Week:
    """One week, Monday 00:00 UTC to the next; profits of all accounts together and of each."""

    start_ms: int
    equity: float
    profit: float
    share: float | None
    best: tuple[int, float] | None
    worst: tuple[int, float] | None


def summed(values: Values, capital: Values) -> Values:
    """Return the sum of accounts (a row each); before its first value each is its capital."""
    known = np.where(np.isnan(values), capital[:, None], values)
    total: Values = known.sum(axis=0)
    return total


def underwater(equity: Values) -> Values:
    """Return the share by which each value lies below the highest one so far."""
    best = np.maximum.accumulate(equity)
    share: Values = np.where(best > 0, 1 - equity / np.where(best > 0, best, 1), 0.0)
    return share


def daily_returns(values: Values, capital: Values) -> Values:
    """Return day by day what each account (a row each) gained, as a share; NaN before it began."""
    before = np.column_stack([capital, values[:, :-1]])
    before = np.where(np.isnan(before), capital[:, None], before)
    gained: Values = values / before - 1
    return gained


def correlations(returns: Values) -> list[list[float | None]]:
    """Return how alike accounts move, -1 to 1; None below FEWEST_DAYS days or without moves."""
    rows = range(len(returns))
    return [[_correlation(returns[one], returns[other]) for other in rows] for one in rows]


def weeks(times: Times, values: Values, capital: Values) -> list[Week]:
    """Return the weeks that `values` (a row each account) cover, the newest first.

    `times` are the starts of days, each value stands at its day's end.
    """
    if not len(times):
        return []
    number = (times - _MONDAY_MS) // WEEK_MS
    known = np.where(np.isnan(values), capital[:, None], values)
    ends = np.append(np.flatnonzero(np.diff(number)), len(times) - 1)
    after = known[:, ends]
    before = np.column_stack([capital, after[:, :-1]])
    found = [
        _week(int(number[end]) * WEEK_MS + _MONDAY_MS, before[:, place], after[:, place])
        for place, end in enumerate(ends.tolist())
    ]
    return found[::-1]


def _week(start_ms: int, before: Values, after: Values) -> Week:
    profits, held = after - before, float(before.sum())
    moved = np.flatnonzero(profits)
    best = max(moved, key=lambda row: profits[row], default=None)
    worst = min(moved, key=lambda row: profits[row], default=None)
    return Week(
        start_ms=start_ms,
        equity=float(after.sum()),
        profit=float(profits.sum()),
        share=float(profits.sum()) / held if held > 0 else None,
        best=None if best is None else (int(best), float(profits[best])),
        worst=None if worst is None else (int(worst), float(profits[worst])),
    )


def _correlation(one: Values, other: Values) -> float | None:
    both = ~np.isnan(one) & ~np.isnan(other)
    if both.sum() < FEWEST_DAYS:
        return None
    first, second = one[both], other[both]
    if not first.std() or not second.std():
        return None
    return float(np.clip(np.corrcoef(first, second)[0, 1], -1, 1))
