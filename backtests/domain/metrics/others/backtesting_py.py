"""Figures as backtesting.py 0.6 has them: geometric means of days, trades by their share."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from backtests.domain.metrics.account import DAY_MS, Floats
from backtests.domain.metrics.others.course import Course, grown, ratio

SOURCE: Final = "backtesting.py 0.6.6, _stats.py"


def total_return(of: Course) -> float | None:
    """Equity at the end / equity at the first close - 1."""
    return ratio(of.end - of.first, of.first)


def annual_return(of: Course) -> float | None:
    """(1 + geometric mean of daily returns) ^ 365 - 1; 252 days where weekends are closed."""
    return grown(1.0 + _geometric_mean(of.day_returns), _days(of)) if _known(of) else None


def volatility(of: Course) -> float | None:
    """Sqrt((var + (1 + mean)^2)^365 - (1 + mean)^730), daily returns, compounded (ddof 1)."""
    if len(of.day_returns) < 2:
        return None
    base = (1.0 + _geometric_mean(of.day_returns)) ** 2
    spread = float(np.var(of.day_returns, ddof=1))
    try:
        return math.sqrt((spread + base) ** _days(of) - base ** _days(of))
    except OverflowError:
        return None


def cagr(of: Course) -> float | None:
    """(end / start) ^ (365.25 days / duration) - 1, from the first bar's open to the last's."""
    # Its duration drops what is below a second.
    years = of.length_ms // 1000 / (DAY_MS / 1000) / 365.25
    return grown(of.end / of.first, 1 / years) if years else None


def sharpe(of: Course) -> float | None:
    """Annual return / volatility, both compounded."""
    annual, spread = annual_return(of), volatility(of)
    return None if annual is None or spread is None else ratio(annual, spread)


def sortino(of: Course) -> float | None:
    """Annual return / (sqrt(mean(min(daily return, 0)^2)) x sqrt(365))."""
    annual = annual_return(of)
    if annual is None:
        return None
    below = float(np.mean(np.minimum(of.day_returns, 0.0) ** 2))
    return ratio(annual, math.sqrt(below) * math.sqrt(_days(of)))


def max_drawdown(of: Course) -> float | None:
    """Largest 1 - equity / running maximum over the closes; the maximum begins at the first."""
    return of.bars.depth


def calmar(of: Course) -> float | None:
    """Annual return / maximum drawdown."""
    annual = annual_return(of)
    return None if annual is None else ratio(annual, of.bars.depth)


def exposure(of: Course) -> float | None:
    """Bars in which a trade was open, its first and last counted / bars; open trades left out."""
    return of.held


def win_rate(of: Course) -> float | None:
    """Closed trades with a profit / closed trades."""
    return float(np.mean(of.profits > 0)) if len(of.profits) else None


def best_trade(of: Course) -> float | None:
    """Largest profit / worth at the entry."""
    return float(of.shares.max()) if len(of.shares) else None


def worst_trade(of: Course) -> float | None:
    """Smallest profit / worth at the entry."""
    return float(of.shares.min()) if len(of.shares) else None


def average_trade(of: Course) -> float | None:
    """Geometric mean of profit / worth at the entry."""
    return _geometric_mean(of.shares) if len(of.shares) else None


def profit_factor(of: Course) -> float | None:
    """Sum of shares won / sum of shares lost, each of the worth at its entry."""
    won, lost = of.shares[of.shares > 0], of.shares[of.shares < 0]
    return ratio(float(won.sum()), -float(lost.sum()))


def expectancy(of: Course) -> float | None:
    """Mean of profit / worth at the entry."""
    return float(np.mean(of.shares)) if len(of.shares) else None


def sqn(of: Course) -> float | None:
    """Sqrt(trades) x mean / deviation (ddof 1) of profits (Van Tharp's system quality number)."""
    if len(of.profits) < 2:
        return None
    mean, spread = float(np.mean(of.profits)), float(np.std(of.profits, ddof=1))
    return ratio(math.sqrt(len(of.profits)) * mean, spread)


def kelly(of: Course) -> float | None:
    """Win rate - (1 - win rate) / (mean profit / mean loss) (Kelly 1956)."""
    won, lost = of.profits[of.profits > 0], of.profits[of.profits < 0]
    if not len(won) or not len(lost):
        return None
    rate = len(won) / len(of.profits)
    return rate - (1.0 - rate) / (float(np.mean(won)) / -float(np.mean(lost)))


def _geometric_mean(shares: Floats) -> float:
    factors = shares + 1.0
    if (factors <= 0).any():
        return 0.0
    return math.exp(float(np.sum(np.log(factors))) / len(factors)) - 1.0


def _days(of: Course) -> int:
    return 365 if of.is_open_at_weekends else 252


def _known(of: Course) -> bool:
    return len(of.day_returns) > 0
