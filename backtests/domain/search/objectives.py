"""What a search looks for: the best value of one metric, unknown ones last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backtests.domain.metrics.returns import LEAST_DAYS

_BETTER_LOW: Final = frozenset(
    {
        "volatility",
        "max_drawdown",
        "draw_rate",
        "fees_paid",
        "slippage_paid",
        "turnover",
        "longest_losing_run",
    }
)


_DAYS: Final[Mapping[str, int]] = {
    "sharpe": LEAST_DAYS,
    "sortino": LEAST_DAYS,
    "volatility": 2,
    "cagr": 1,
    "calmar": 1,
}


def days_needed(metric: str) -> int:
    """Return how many UTC days a run has to live for a metric to be known."""
    return _DAYS.get(metric, 0)


def is_maximised(metric: str) -> bool:
    """Return whether more of a metric is better, unless somebody says otherwise."""
    return metric not in _BETTER_LOW
