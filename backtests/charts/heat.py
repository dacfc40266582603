"""A figure over two searched parameters as a table whose cells are shaded by how good they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backtests.charts.cards import text_of
from backtests.domain.metrics import METRICS

_STEPS: Final = 10
_BY_KEY: Final = {metric.key: metric for metric in METRICS}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, the class that shades it, and how many trials are in it."""

    text: str
    shade: str
    count: int


@dataclass(frozen=True, slots=True)
class HeatTable:
    """The table: values of x across, and a row of cells for each value of y."""

    x: str
    y: str
    across: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    parts: bool
    """Whether values stand for parts of a range."""


def heat_cells(found: Mapping[str, Any], *, is_maximised: bool) -> HeatTable:
    """Return the table of what `storage.trials.heat` found, the best figures shaded most."""
    metric = _BY_KEY[found["metric"]]
    known = [value for row in found["cells"] for value in row if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)

    def cell(value: float | None, count: int) -> Cell:
        if value is None:
            return Cell("", "", count)
        share = (value - low) / (high - low) if high > low else 1.0
        step = round((share if is_maximised else 1 - share) * (_STEPS - 1))
        return Cell(text_of(metric, value), f"heat-{step}", count)

    rows = zip(found["y"]["values"], found["cells"], found["counts"], strict=True)
    return HeatTable(
        x=found["x"]["name"],
        y=found["y"]["name"],
        across=tuple(_value(value) for value in found["x"]["values"]),
        rows=tuple(
            (_value(name), tuple(cell(*pair) for pair in zip(values, counts, strict=True)))
            for name, values, counts in rows
        ),
        parts=found["x"]["edges"] is not None or found["y"]["edges"] is not None,
    )


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
