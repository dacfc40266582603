"""Reading the trials of a search: lists, tables of two parameters, columns, files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.db.models import F, FloatField, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from backtests.domain.metrics import METRICS
from backtests.domain.search.heat import heat_table
from backtests.domain.search.space import Space
from backtests.models import Search, Trial

_BLOCK: Final = 2_000
_PLAIN: Final = ("window", "number", "state", "objective")


def ordered_trials(
    search: Search,
    window: int,
    order: str,
    *,
    is_reversed: bool = False,
    state: str | None = None,
) -> QuerySet[Trial]:
    """Return the trials of a window in an order.

    The order is `number`, `objective` and `outside` (the best first; `outside` leaves out what was
    not tested) or a metric's key (the largest first). What has no figure comes last.
    """
    found = search.trials.filter(window=window)
    if state:
        found = found.filter(state=state)
    if order == "outside":
        found = found.exclude(outside=None)
    return _ordered(found, search, order, is_reversed=is_reversed)


def best_trials(search: Search, window: int, count: int) -> list[Trial]:
    """Return the best `count` trials of a window that have an objective; the first of equals."""
    known = search.trials.filter(window=window).exclude(objective=None)
    return list(_ordered(known, search, "objective")[:count])


def heat(search: Search, window: int, x: str, y: str, metric: str, pick: str) -> dict[str, Any]:
    """Return a metric over two searched parameters (KeyError for others); see `heat_table`."""
    space = Space.from_json(search.space, search.parameters)
    axes = {axis.name: axis for axis in space.axes}
    rows = (
        search.trials.filter(window=window, state=Trial.State.DONE)
        .annotate(shown=_figure(metric))
        .exclude(shown=None)
        .values_list(f"parameters__{x}", f"parameters__{y}", "shown")
    )
    best, worst = ("max", "min") if search.maximises(metric) else ("min", "max")
    wanted = {"best": best, "mean": "mean", "worst": worst}
    table = heat_table(axes[x], axes[y], rows.iterator(chunk_size=_BLOCK), wanted[pick])
    return {"metric": metric, "pick": pick, "window": window, **table}


def columns(search: Search, window: int, metrics: Iterable[str], most: int) -> dict[str, Any]:
    """Return the best `most` trials of a window as columns."""
    trials, keys = best_trials(search, window, most), list(metrics)
    names = [axis["name"] for axis in search.space]
    return {
        "number": [trial.number for trial in trials],
        "parameters": {name: [trial.parameters[name] for trial in trials] for name in names},
        "objective": [trial.objective for trial in trials],
        "outside": [(trial.outside or {}).get(search.objective) for trial in trials],
        "metrics": {key: [trial.metrics.get(key) for trial in trials] for key in keys},
    }


def trials_csv(search: Search) -> Iterator[str]:
    """Yield all trials as CSV with a header."""
    names = [*search.parameters, *(axis["name"] for axis in search.space)]
    keys = [metric.key for metric in METRICS]
    head = [*_PLAIN, *names, *keys, *(f"outside_{key}" for key in keys), "error"]
    yield _line(head)
    for trial in search.trials.iterator(chunk_size=_BLOCK):
        outside = trial.outside or {}
        yield _line(
            [
                *(getattr(trial, name) for name in _PLAIN),
                *(trial.parameters.get(name) for name in names),
                *(trial.metrics.get(key) for key in keys),
                *(outside.get(key) for key in keys),
                trial.error,
            ]
        )


def trials_json(search: Search, told: dict[str, Any]) -> Iterator[str]:
    """Yield the search, told as `told`, and all its trials as one JSON object."""
    fields = (*_PLAIN, "parameters", "metrics", "outside", "error")
    yield f'{{"search": {json.dumps(told, default=str)}, "trials": ['
    for place, trial in enumerate(search.trials.iterator(chunk_size=_BLOCK)):
        told = {name: getattr(trial, name) for name in fields}
        yield ("," if place else "") + "\n" + json.dumps(told)
    yield "\n]}\n"


def _ordered(
    found: QuerySet[Trial], search: Search, order: str, *, is_reversed: bool = False
) -> QuerySet[Trial]:
    if order == "number":
        return found.order_by("-number" if is_reversed else "number")
    is_best = order in ("objective", "outside")
    is_descending = (search.is_maximised or not is_best) != is_reversed
    if order == "objective":
        shown = F("objective")
    else:
        source = "outside" if order == "outside" else "metrics"
        key = search.objective if order == "outside" else order
        found, shown = found.annotate(shown=_figure(key, source)), F("shown")
    figure = shown.desc(nulls_last=True) if is_descending else shown.asc(nulls_last=True)
    return found.order_by(figure, "number")


def _figure(key: str, source: str = "metrics") -> Cast:
    return Cast(KeyTextTransform(key, source), FloatField())


def _line(values: Iterable[Any]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow("" if value is None else value for value in values)
    return out.getvalue()
