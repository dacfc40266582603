"""All figures of other programs, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Final

from backtests.domain.metrics.account import Account
from backtests.domain.metrics.others import backtesting_py, freqtrade, vectorbt
from backtests.domain.metrics.others.course import Course, course_of


@dataclass(frozen=True, slots=True)
class Other:
    """A figure of another program: whose, how it is called, what it is counted in."""

    program: str
    key: str
    title: str
    unit: str
    """share, ratio or cash"""
    compute: Callable[[Course], float | None]
    source: str

    @property
    def formula(self) -> str:
        """The definition, for a tooltip."""
        return (self.compute.__doc__ or "").strip()


def _of(program: str, module: ModuleType, *figures: tuple[str, str, str]) -> tuple[Other, ...]:
    return tuple(
        Other(program, key, title, unit, getattr(module, key), module.SOURCE)
        for key, title, unit in figures
    )


OTHERS: Final = (
    *_of(
        "vectorbt",
        vectorbt,
        ("total_return", "Total return", "share"),
        ("annualized_return", "Annualized return", "share"),
        ("volatility", "Annualized volatility", "share"),
        ("sharpe", "Sharpe ratio", "ratio"),
        ("sortino", "Sortino ratio", "ratio"),
        ("omega", "Omega ratio", "ratio"),
        ("max_drawdown", "Max drawdown", "share"),
        ("calmar", "Calmar ratio", "ratio"),
        ("win_rate", "Win rate", "share"),
        ("profit_factor", "Profit factor", "ratio"),
        ("expectancy", "Expectancy", "cash"),
        ("sqn", "SQN", "ratio"),
    ),
    *_of(
        "backtesting.py",
        backtesting_py,
        ("total_return", "Return", "share"),
        ("annual_return", "Return (ann.)", "share"),
        ("volatility", "Volatility (ann.)", "share"),
        ("cagr", "CAGR", "share"),
        ("sharpe", "Sharpe ratio", "ratio"),
        ("sortino", "Sortino ratio", "ratio"),
        ("max_drawdown", "Max. drawdown", "share"),
        ("calmar", "Calmar ratio", "ratio"),
        ("exposure", "Exposure time", "share"),
        ("win_rate", "Win rate", "share"),
        ("best_trade", "Best trade", "share"),
        ("worst_trade", "Worst trade", "share"),
        ("average_trade", "Avg. trade", "share"),
        ("profit_factor", "Profit factor", "ratio"),
        ("expectancy", "Expectancy", "share"),
        ("sqn", "SQN", "ratio"),
        ("kelly", "Kelly criterion", "share"),
    ),
    *_of(
        "freqtrade",
        freqtrade,
        ("total_return", "Total profit", "share"),
        ("cagr", "CAGR", "share"),
        ("sharpe", "Sharpe", "ratio"),
        ("sortino", "Sortino", "ratio"),
        ("max_drawdown", "Max account underwater", "share"),
        ("calmar", "Calmar", "ratio"),
        ("win_rate", "Win rate", "share"),
        ("profit_factor", "Profit factor", "ratio"),
        ("expectancy", "Expectancy", "cash"),
        ("expectancy_ratio", "Expectancy ratio", "ratio"),
        ("sqn", "SQN", "ratio"),
    ),
)


def as_others(of: Account) -> dict[str, dict[str, float | None]]:
    """Return every figure by program and key; None where it is unknown, money in cash units."""
    course = course_of(of)
    told: dict[str, dict[str, float | None]] = {}
    for other in OTHERS:
        told.setdefault(other.program, {})[other.key] = other.compute(course)
    return told
