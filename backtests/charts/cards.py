"""The figures of a result as cards: title, text, colour and formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backtests.charts.numbers import money, percent, ratio, span, tone
from backtests.domain.metrics import METRICS, Metric

_SIGNED: Final = frozenset(
    {"total_return", "buy_and_hold", "cagr", "expectancy", "best_trip", "worst_trip"}
)
_COLOURED: Final = _SIGNED | {"sharpe", "sortino", "calmar", "expectancy_r"}
LOW_IS_GOOD: Final = frozenset(
    {"max_drawdown", "volatility", "fees_paid", "slippage_paid", "longest_losing_run"}
)
NEUTRAL: Final = frozenset(
    {"buy_and_hold", "round_trips", "draw_rate", "exposure", "turnover", "average_holding"}
)
"""Figures of which more is neither better nor worse."""


@dataclass(frozen=True, slots=True)
class Card:
    """One figure as it is shown."""

    key: str
    title: str
    text: str
    tone: str
    formula: str


def cards(metrics: Mapping[str, float | None]) -> list[Card]:
    """Return all figures in their order; a dash where one is unknown."""
    return [card(metric, metrics.get(metric.key)) for metric in METRICS]


def card(metric: Metric, value: float | None) -> Card:
    """Return one figure as it is shown."""
    coloured = tone(value) if metric.key in _COLOURED else ""
    return Card(metric.key, metric.title, text_of(metric, value), coloured, metric.formula)


def text_of(metric: Metric, value: float | None) -> str:
    """Return a value of a figure as people read it."""
    is_signed = metric.key in _SIGNED
    if metric.unit == "share":
        return percent(value, signed=is_signed)
    if metric.unit == "cash":
        return money(value, signed=is_signed)
    if metric.unit == "ms":
        return span(value)
    if metric.unit == "count" and value is not None:
        return f"{value:,.0f}"
    return ratio(value)


def best_of(metric: Metric, values: list[float | None]) -> set[int]:
    """Return the places of the best of several runs' values; none where all are the same."""
    known = {value for value in values if value is not None}
    if metric.key in NEUTRAL or len(known) < 2:
        return set()
    best = min(known) if metric.key in LOW_IS_GOOD else max(known)
    return {place for place, value in enumerate(values) if value == best}
