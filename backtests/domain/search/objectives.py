"""What a search looks for: the best value of one metric, unknown ones last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backtests.domain.metrics import METRICS, Metric

_BY_KEY: Final[Mapping[str, Metric]] = {metric.key: metric for metric in METRICS}


def days_needed(metric: str) -> int:
    """Return how many UTC days a run has to live for a metric to be known; 0 for no metric."""
    return _BY_KEY[metric].days_needed if metric in _BY_KEY else 0


def is_maximised(metric: str) -> bool:
    """Return whether more of a metric is better, unless somebody says otherwise."""
    return metric not in _BY_KEY or not _BY_KEY[metric].is_better_low
