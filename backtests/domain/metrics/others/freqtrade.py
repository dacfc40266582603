"""Figures as freqtrade 2026.9 has them: from profits of closed trades, whenever they were made."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from backtests.domain.metrics.account import DAY_MS, Floats
from backtests.domain.metrics.others.course import Course, grown, ratio

SOURCE: Final = "freqtrade 2026.9, data/metrics.py"
YEAR_DAYS: Final = 365


def total_return(of: Course) -> float | None:
    """Sum of profits of closed trades / initial balance."""
    return float(of.profits.sum()) / of.start


def cagr(of: Course) -> float | None:
    """((start + closed profits) / start) ^ (365 / whole days) - 1."""
    days = of.length_ms // DAY_MS
    return grown(1.0 + float(of.profits.sum()) / of.start, YEAR_DAYS / days) if days else None


def sharpe(of: Course) -> float | None:
    """(Sum of profits / start / days) / deviation (ddof 0) of profits / start x sqrt(365)."""
    return _annual(of, of.profits)


def sortino(of: Course) -> float | None:
    """(Sum of profits / start / days) / deviation (ddof 0) of losses / start x sqrt(365)."""
    return _annual(of, of.profits[of.profits < 0])


def max_drawdown(of: Course) -> float | None:
    """Share of the balance after closed trades that was lost in the fall of most cash."""
    if not len(of.profits):
        return None
    balance = of.start + np.concatenate(([0.0], np.cumsum(of.profits)))
    best = np.maximum.accumulate(balance)
    at = int(np.argmax(best - balance))
    return float(1.0 - balance[at] / best[at])


def calmar(of: Course) -> float | None:
    """(Sum of profits / start / days x 100) / maximum drawdown x sqrt(365)."""
    depth = max_drawdown(of)
    if not depth:
        return None
    return ratio(_daily(of) * 100.0 * math.sqrt(YEAR_DAYS), depth)


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


def expectancy_ratio(of: Course) -> float | None:
    """(1 + mean profit / mean loss) x win rate - 1."""
    won, lost = of.profits[of.profits > 0], of.profits[of.profits < 0]
    if not len(lost):
        return None
    reward = float(np.mean(won)) / -float(np.mean(lost)) if len(won) else 0.0
    return (1.0 + reward) * len(won) / len(of.profits) - 1.0


def sqn(of: Course) -> float | None:
    """Sqrt(trades) x mean / deviation (ddof 1) of profits, rounded to four digits."""
    if len(of.profits) < 2:
        return None
    mean, spread = float(np.mean(of.profits)), float(np.std(of.profits, ddof=1))
    value = ratio(math.sqrt(len(of.profits)) * mean, spread)
    return None if value is None else round(value, 4)


def _annual(of: Course, spread_of: Floats) -> float | None:
    if not len(spread_of):
        return None
    spread = float(np.std(spread_of / of.start))
    return ratio(_daily(of) * math.sqrt(YEAR_DAYS), spread)


def _daily(of: Course) -> float:
    return float(of.profits.sum()) / of.start / max(1, of.length_ms // DAY_MS)
