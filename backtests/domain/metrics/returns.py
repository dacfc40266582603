"""Figures of the account's course: what it grew by, how evenly, and how far it fell."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from backtests.domain.metrics.account import DAY_MS, Account

YEAR_DAYS: Final = 365
LEAST_DAYS: Final = 30
"""Daily returns below which a ratio of them says nothing."""
SPREAD_DAYS: Final = 2
"""Daily returns below which they have no deviation."""
GROWTH_DAYS: Final = 1
"""Days below which growth is not told for a year."""


def total_return(of: Account) -> float | None:
    """Equity at the end / initial balance - 1."""
    return of.end / of.start - 1.0


def buy_and_hold(of: Account) -> float | None:
    """Last close / first close - 1 of the same window, without costs."""
    return of.bought_and_held


def cagr(of: Account) -> float | None:
    """(end / start) ^ (365 days / duration) - 1; unknown below a day or without equity left."""
    if of.length_ms < GROWTH_DAYS * DAY_MS or of.end <= 0:
        return None
    try:
        return math.pow(of.end / of.start, YEAR_DAYS * DAY_MS / of.length_ms) - 1.0
    except OverflowError:
        return None


def sharpe(of: Account) -> float | None:
    """Mean / deviation (ddof 1) of daily returns x sqrt(365), risk-free 0 (Sharpe, 1994)."""
    returns = of.returns
    if len(returns) < LEAST_DAYS or not (spread := float(np.std(returns, ddof=1))) > 0:
        return None
    return float(np.mean(returns)) / spread * math.sqrt(YEAR_DAYS)


def sortino(of: Account) -> float | None:
    """Mean / sqrt(mean(min(return, 0)^2)) of daily returns x sqrt(365) (Sortino and Price 1994)."""
    returns = of.returns
    if len(returns) < LEAST_DAYS:
        return None
    below = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    return float(np.mean(returns)) / below * math.sqrt(YEAR_DAYS) if below > 0 else None


def volatility(of: Account) -> float | None:
    """Standard deviation (ddof 1) of daily returns x sqrt(365); unknown below two days."""
    returns = of.returns
    return (
        float(np.std(returns, ddof=1)) * math.sqrt(YEAR_DAYS)
        if len(returns) >= SPREAD_DAYS
        else None
    )


def max_drawdown(of: Account) -> float | None:
    """Largest 1 - equity / running maximum over the minutes, beginning at the initial balance."""
    return of.drawdown.depth


def calmar(of: Account) -> float | None:
    """CAGR / maximum drawdown (Young 1991)."""
    grown = cagr(of)
    return None if grown is None or of.drawdown.depth <= 0 else grown / of.drawdown.depth
