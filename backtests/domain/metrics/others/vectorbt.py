"""Figures as vectorbt 1.2 has them: returns of bars, here of minutes, in years of 365 days."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from backtests.domain.metrics.others.course import Course, grown, ratio

SOURCE: Final = "vectorbt 1.2.0, returns/nb.py and portfolio/trades.py"
BARS: Final = 365 * 1440
"""Minutes of a year."""


def total_return(of: Course) -> float | None:
    """Equity at the end / initial balance - 1."""
    return of.end / of.start - 1.0


def annualized_return(of: Course) -> float | None:
    """(end / start) ^ (525600 / bars) - 1; bars that are missing make the time shorter."""
    return grown(of.end / of.start, BARS / of.bars.count)


def volatility(of: Course) -> float | None:
    """Standard deviation (ddof 1) of returns of minutes x sqrt(525600)."""
    return of.bars.spread * math.sqrt(BARS) if math.isfinite(of.bars.spread) else None


def sharpe(of: Course) -> float | None:
    """Mean / deviation (ddof 1) of returns of minutes x sqrt(525600)."""
    return ratio(of.bars.mean * math.sqrt(BARS), of.bars.spread)


def sortino(of: Course) -> float | None:
    """Mean of returns of minutes x 525600 / (sqrt(mean(min(return, 0)^2)) x sqrt(525600))."""
    return ratio(of.bars.mean * BARS, of.bars.below * math.sqrt(BARS))


def omega(of: Course) -> float | None:
    """Sum of returns of minutes above 0 / sum of those below."""
    return ratio(of.bars.gained, of.bars.lost)


def max_drawdown(of: Course) -> float | None:
    """Largest 1 - equity / running maximum over the closes; the maximum begins at the first."""
    return of.bars.depth


def calmar(of: Course) -> float | None:
    """Annualized return / maximum drawdown."""
    annual = annualized_return(of)
    return None if annual is None else ratio(annual, of.bars.depth)


def win_rate(of: Course) -> float | None:
    """Closed trades with a profit / closed trades."""
    return float(np.mean(of.profits > 0)) if len(of.profits) else None


def profit_factor(of: Course) -> float | None:
    """Sum of profits / sum of losses."""
    won, lost = of.profits[of.profits > 0], of.profits[of.profits < 0]
    return ratio(float(won.sum()), -float(lost.sum()))


def expectancy(of: Course) -> float | None:
    """Win rate x mean profit - loss rate x mean loss."""
    return float(np.mean(of.profits)) if len(of.profits) else None


def sqn(of: Course) -> float | None:
    """Sqrt(trades) x mean / deviation (ddof 1) of profits (Van Tharp's system quality number)."""
    if len(of.profits) < 2:
        return None
    mean, spread = float(np.mean(of.profits)), float(np.std(of.profits, ddof=1))
    return ratio(math.sqrt(len(of.profits)) * mean, spread)
