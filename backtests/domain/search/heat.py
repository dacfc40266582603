"""A metric over two parameters, as the cells of a table."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from backtests.domain.search.space import Axis, Continuous, Listed, Stepped
from strategies.domain.params import Value

MOST_CELLS: Final = 60
"""Rows, or columns, of a table; an axis of more values is divided into equal parts."""


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a table: what stands at each row or column, and which one a value is in."""

    name: str
    values: list[Any]
    edges: list[float] | None
    place: Callable[[Any], int]

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "values": self.values, "edges": self.edges}


def heat_table(
    x: Axis, y: Axis, rows: Iterable[tuple[Value, Value, float]], pick: str
) -> dict[str, Any]:
    """Return the table of rows (value of x, value of y, figure): one row of cells for each y.

    `pick` says which figure a cell shows of several: max, min or mean. None where there is none.
    """
    across, down = _side(x), _side(y)
    cells: list[list[float | None]] = [[None] * len(across.values) for _ in down.values]
    counts = [[0] * len(across.values) for _ in down.values]
    for left, right, figure in rows:
        column, row = across.place(left), down.place(right)
        counts[row][column] += 1
        cells[row][column] = _joined(cells[row][column], figure, pick)
    if pick == "mean":
        cells = [
            [None if sum_ is None else sum_ / count for sum_, count in zip(*pair, strict=True)]
            for pair in zip(cells, counts, strict=True)
        ]
    return {"x": across.as_json(), "y": down.as_json(), "cells": cells, "counts": counts}


def _joined(cell: float | None, figure: float, pick: str) -> float:
    if cell is None:
        return figure
    if pick == "mean":
        return cell + figure
    return max(cell, figure) if pick == "max" else min(cell, figure)


def _side(axis: Axis) -> _Side:
    if isinstance(axis, Continuous):
        return _parts(axis.name, axis.low, axis.high)
    size = axis.size or 0
    if isinstance(axis, Stepped) and size > MOST_CELLS:
        return _parts(axis.name, axis.low, axis.high)
    values = [axis.at(index) for index in range(size)]
    if isinstance(axis, Listed) and all(isinstance(value, int | float) for value in values):
        values.sort()
        if size > MOST_CELLS:
            return _parts(axis.name, float(values[0]), float(values[-1]))
    return _Side(axis.name, values, None, {value: at for at, value in enumerate(values)}.get)  # type: ignore[arg-type]


def _parts(name: str, low: float, high: float) -> _Side:
    width = (high - low) / MOST_CELLS
    edges = [low + width * part for part in range(MOST_CELLS)]
    middles = [edge + width / 2 for edge in edges]
    return _Side(
        name, middles, [*edges, high], lambda value: max(0, bisect.bisect_right(edges, value) - 1)
    )
