"""What a search looks for: the best value of one metric, unknown ones last."""

from __future__ import annotations

from typing import Final

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


def is_maximised(metric: str) -> bool:
    """Return whether more of a metric is better, unless somebody says otherwise."""
    return metric not in _BETTER_LOW
