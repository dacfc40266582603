"""A report of one finished backtest: one file for any browser, without a network."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string

from backtests.charts.cards import cards
from backtests.charts.curves import curves
from backtests.charts.numbers import money, percent, ratio
from backtests.charts.trips import returns_of, trip_rows
from backtests.domain.distribution import histogram
from backtests.domain.metrics.others import OTHERS, Other
from backtests.domain.months import monthly_returns, year_return
from backtests.models import Backtest
from backtests.storage.results import StoredRun, read_run
from marketdata.models import to_ms

POINTS: Final = 4_000
_TEMPLATE: Final = "backtests/report/page.html"
_PLOTLY: Final = "vendor/plotly/plotly-finance.min.js"
_MARK: Final = "/* plotly.js */"
_COLUMNS: Final = (
    *("number", "side", "entry_ms", "exit_ms", "quantity", "entry_price", "exit_price"),
    *("profit", "share", "fees", "reason"),
)


def report_pieces(backtest: Backtest) -> Iterator[str]:
    """Return the pieces of the report's HTML, to be written one after another.

    Raises ResultGone, at once.
    """
    run = read_run(backtest)
    before, _, after = render_to_string(_TEMPLATE, _context(backtest, run)).partition(_MARK)
    found = finders.find(_PLOTLY)
    if not isinstance(found, str):
        raise FileNotFoundError(f"{_PLOTLY} is not among the static files")
    # Written between the two halves: it is most of the file, and needs no template.
    return iter((before, Path(found).read_text(encoding="utf-8"), after))


def _context(backtest: Backtest, run: StoredRun) -> dict[str, Any]:
    return {
        "backtest": backtest,
        "quote": backtest.instrument.quote,
        "cards": cards(backtest.metrics),
        "years": _years(run),
        "programs": _programs(backtest.compared),
        "trading": {name: value for name, value in backtest.trading.items() if value is not None},
        "data": {
            "curves": _listed(_curves(backtest, run)),
            "bins": [[one.low, one.high, one.count] for one in histogram(returns_of(run.trips))],
            "columns": _COLUMNS,
            "trips": [[row.get(name) for name in _COLUMNS] for row in _rows(run)],
        },
    }


def _curves(backtest: Backtest, run: StoredRun) -> dict[str, Any]:
    span = to_ms(backtest.start), to_ms(backtest.end)
    return curves(
        run.close_times,
        run.equity,
        run.closes,
        units=run.units,
        start=run.start,
        span=span,
        most=POINTS,
    )


def _rows(run: StoredRun) -> list[dict[str, Any]]:
    return trip_rows(run.trips, np.arange(len(run.trips)), run.units)


def _listed(columns: dict[str, Any]) -> dict[str, list[Any]]:
    """Return columns for JSON; what is unknown is None."""
    return {
        name: [None if value != value else value for value in np.asarray(column).tolist()]
        for name, column in columns.items()
    }


def _years(run: StoredRun) -> list[dict[str, Any]]:
    """Return a row of the table for every year: its months and its total, as text and sign."""
    months = monthly_returns(run.close_times, run.equity, run.start)
    rows = []
    for year, of_year in groupby(months, lambda month: month.year):
        kept = list(of_year)
        known = {month.month: month.share for month in kept}
        cells = [_cell(known.get(month)) for month in range(1, 13)]
        rows.append({"year": year, "months": cells, "total": _cell(year_return(kept))})
    return rows


def _cell(share: float | None) -> dict[str, str]:
    if share is None:
        return {"text": "", "tone": ""}
    return {"text": percent(share, signed=True), "tone": "up" if share >= 0 else "down"}


def _programs(compared: dict[str, dict[str, float | None]]) -> list[dict[str, Any]]:
    """Return the figures of each other program, by program."""
    programs = []
    for name, of in groupby(OTHERS, lambda other: other.program):
        others, values = list(of), compared.get(name, {})
        figures = [_figure(other, values.get(other.key)) for other in others]
        programs.append({"name": name, "source": others[0].source, "figures": figures})
    return programs


def _figure(other: Other, value: float | None) -> dict[str, str]:
    return {"title": other.title, "formula": other.formula, "text": _text(other, value)}


def _text(other: Other, value: float | None) -> str:
    if other.unit == "share":
        return percent(value)
    return money(value) if other.unit == "cash" else ratio(value)
