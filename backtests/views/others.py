"""The same run as other programs would report it, beside our own figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from backtests.charts.numbers import money, percent, ratio
from backtests.domain.metrics import METRICS
from backtests.domain.metrics.others import OTHERS, Other
from backtests.models import Backtest

PROGRAMS: Final = tuple(dict.fromkeys(other.program for other in OTHERS))
# What we call otherwise than they do.
_OURS: Final = {
    "annual_return": "cagr",
    "annualized_return": "cagr",
    "best_trade": "",
    "worst_trade": "",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One program's figure: its text, how it calls it and computes it."""

    text: str
    title: str
    formula: str


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of ours and each program's."""

    title: str
    ours: str
    theirs: tuple[Figure | None, ...]


def as_others_table(backtest: Backtest) -> dict[str, Any] | None:
    """Return a table of figures by program; None where they were not computed."""
    if not backtest.compared:
        return None
    ours = {metric.key: metric for metric in METRICS}
    keys = dict.fromkeys(_OURS.get(other.key, other.key) or other.key for other in OTHERS)
    rows = []
    for key in keys:
        metric = ours.get(key)
        value = backtest.metrics.get(key) if metric else None
        shown = _text(metric.unit, value) if metric else ""
        title = metric.title if metric else _first(key).title
        theirs = tuple(_figure(backtest, program, key) for program in PROGRAMS)
        rows.append(Row(title, shown, theirs))
    return {"programs": PROGRAMS, "rows": rows}


def _first(key: str) -> Other:
    return next(other for other in OTHERS if other.key == key)


def _figure(backtest: Backtest, program: str, key: str) -> Figure | None:
    for other in OTHERS:
        if other.program == program and (_OURS.get(other.key, other.key) or other.key) == key:
            value = backtest.compared.get(program, {}).get(other.key)
            return Figure(_text(other.unit, value), other.title, other.formula)
    return None


def _text(unit: str, value: float | None) -> str:
    return {"share": percent, "cash": money}.get(unit, ratio)(value)
