"""The figures of a result: one function each, with its formula and where it comes from.

An unknown figure is None: never infinity, never 0 in its place. Money is in cash units; shares
are plain numbers (0.1 is 10 %). `METRICS` names them all, in the order in which they are shown.
"""

from backtests.domain.metrics.account import (
    DAY_MS,
    Account,
    account,
    daily_equity,
    midnights,
    swept_account,
)
from backtests.domain.metrics.registry import METRICS, Metric, all_metrics

__all__ = [
    "DAY_MS",
    "METRICS",
    "Account",
    "Metric",
    "account",
    "all_metrics",
    "daily_equity",
    "midnights",
    "swept_account",
]
