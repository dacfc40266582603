"""Figures of the round trips: how many won, what they cost and how long they took."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backtests.domain.metrics.account import Account


def round_trip_count(of: Account) -> float | None:
    """Closed round trips."""
    return float(len(of.profits))


def win_rate(of: Account) -> float | None:
    """Closed round trips with a profit after fees / closed round trips."""
    return _share(of, of.profits > 0)


def draw_rate(of: Account) -> float | None:
    """Closed round trips with neither profit nor loss / closed round trips."""
    return _share(of, of.profits == 0)


def profit_factor(of: Account) -> float | None:
    """Sum of profits / sum of losses, after fees; unknown without a loss."""
    lost = -int(of.profits[of.profits < 0].sum())
    return int(of.profits[of.profits > 0].sum()) / lost if lost else None


def expectancy(of: Account) -> float | None:
    """Mean profit after fees of closed round trips."""
    return float(np.mean(of.profits)) if len(of.profits) else None


def expectancy_r(of: Account) -> float | None:
    """Mean of profit / amount risked at the entry (worth x stop-loss share); needs a stop-loss."""
    if not len(of.profits) or of.stop_share <= 0:
        return None
    closed = of.trips[of.trips["is_closed"]]
    return float(np.mean(closed["profit"] / (closed["paid"] * of.stop_share)))


def exposure(of: Account) -> float | None:
    """Time in position / total time."""
    return of.held_ms / of.length_ms


def turnover(of: Account) -> float | None:
    """Value bought and sold / initial balance."""
    return of.traded_value / of.start


def fees_paid(of: Account) -> float | None:
    """Sum of all fees."""
    return float(of.fees)


def slippage_paid(of: Account) -> float | None:
    """Sum over fills of |fill price - quoted price| x size."""
    return float(of.slippage)


def average_holding(of: Account) -> float | None:
    """Mean time from entry to exit of closed round trips."""
    if not len(of.profits):
        return None
    held = of.trips["exit_ms"] - of.trips["entry_ms"]
    return float(np.mean(held[of.trips["is_closed"]]))


def best_trip(of: Account) -> float | None:
    """Largest profit after fees of a closed round trip."""
    return float(of.profits.max()) if len(of.profits) else None


def worst_trip(of: Account) -> float | None:
    """Smallest profit after fees of a closed round trip."""
    return float(of.profits.min()) if len(of.profits) else None


def longest_losing_run(of: Account) -> float | None:
    """Most closed round trips in a row that lost."""
    if not len(of.profits):
        return None
    # Distances between the trips that did not lose, both ends counted.
    kept = np.flatnonzero(np.concatenate(([True], of.profits >= 0, [True])))
    return float(np.max(np.diff(kept)) - 1)


def _share(of: Account, is_one: NDArray[np.bool_]) -> float | None:
    return float(np.mean(is_one)) if len(of.profits) else None
