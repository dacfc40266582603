"""Monthly returns as a table: a row for each year, shaded by how much each month gained or lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backtests.charts.numbers import percent
from backtests.domain.months import MonthReturn, monthly_returns, year_return
from backtests.storage.results import StoredRun

# Gains and losses from which a cell is shaded one step stronger.
_STEPS: Final = (0.0, 0.02, 0.05, 0.1)


@dataclass(frozen=True, slots=True)
class Cell:
    """One month: its text and the class that shades it; both empty where the run was not."""

    text: str = ""
    shade: str = ""


@dataclass(frozen=True, slots=True)
class Year:
    """Twelve cells and what they come to."""

    number: int
    cells: tuple[Cell, ...]
    total: Cell


def month_table(run: StoredRun) -> list[Year]:
    """Return a row for each year of a run."""
    months = monthly_returns(run.close_times, run.equity, run.start)
    years = dict.fromkeys(month.year for month in months)
    return [_year(number, [one for one in months if one.year == number]) for number in years]


def _year(number: int, months: list[MonthReturn]) -> Year:
    by_month = {one.month: _cell(one.share) for one in months}
    cells = tuple(by_month.get(month, Cell()) for month in range(1, 13))
    return Year(number, cells, _cell(year_return(months)))


def _cell(share: float | None) -> Cell:
    if share is None or share == 0:
        return Cell(percent(share))
    step = sum(abs(share) >= least for least in _STEPS)
    return Cell(percent(share, signed=True), f"{'gain' if share > 0 else 'loss'}-{step}")
