"""All metrics, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from backtests.domain.metrics import returns, trips
from backtests.domain.metrics.account import Account


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure: how it is called, what it is counted in and how it is computed."""

    key: str
    title: str
    unit: str
    """share, ratio, cash, ms or count"""
    compute: Callable[[Account], float | None]
    days_needed: int = 0
    """UTC days that a run has to live for it to be known."""
    is_better_low: bool = False
    """Whether less of it is better, unless somebody says otherwise."""

    @property
    def formula(self) -> str:
        """The definition, for a tooltip."""
        return (self.compute.__doc__ or "").strip()


METRICS: Final = (
    Metric("total_return", "Total return", "share", returns.total_return),
    Metric("buy_and_hold", "Buy and hold", "share", returns.buy_and_hold),
    Metric("cagr", "CAGR", "share", returns.cagr, days_needed=returns.GROWTH_DAYS),
    Metric("sharpe", "Sharpe", "ratio", returns.sharpe, days_needed=returns.LEAST_DAYS),
    Metric("sortino", "Sortino", "ratio", returns.sortino, days_needed=returns.LEAST_DAYS),
    Metric(
        "volatility",
        "Volatility",
        "share",
        returns.volatility,
        days_needed=returns.SPREAD_DAYS,
        is_better_low=True,
    ),
    Metric("max_drawdown", "Max drawdown", "share", returns.max_drawdown, is_better_low=True),
    Metric("calmar", "Calmar", "ratio", returns.calmar, days_needed=returns.GROWTH_DAYS),
    Metric("round_trips", "Round trips", "count", trips.round_trip_count),
    Metric("win_rate", "Win rate", "share", trips.win_rate),
    Metric("draw_rate", "Draws", "share", trips.draw_rate, is_better_low=True),
    Metric("profit_factor", "Profit factor", "ratio", trips.profit_factor),
    Metric("expectancy", "Expectancy", "cash", trips.expectancy),
    Metric("expectancy_r", "Expectancy in R", "ratio", trips.expectancy_r),
    Metric("exposure", "Exposure", "share", trips.exposure),
    Metric("turnover", "Turnover", "ratio", trips.turnover, is_better_low=True),
    Metric("fees_paid", "Fees", "cash", trips.fees_paid, is_better_low=True),
    Metric("slippage_paid", "Slippage", "cash", trips.slippage_paid, is_better_low=True),
    Metric("average_holding", "Average holding time", "ms", trips.average_holding),
    Metric("best_trip", "Best round trip", "cash", trips.best_trip),
    Metric("worst_trip", "Worst round trip", "cash", trips.worst_trip),
    Metric(
        "longest_losing_run",
        "Longest losing run",
        "count",
        trips.longest_losing_run,
        is_better_low=True,
    ),
)


def all_metrics(of: Account) -> dict[str, float | None]:
    """Return every figure by key; None where it is unknown."""
    return {metric.key: metric.compute(of) for metric in METRICS}
