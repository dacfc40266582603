"""Several runs over one another, and the round trips of two of them side by side."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from backtests.charts.cards import best_of, text_of
from backtests.charts.numbers import money, percent, tone
from backtests.charts.trips import trip_rows
from backtests.domain.metrics import METRICS
from backtests.domain.pairing import Pair, pair_trips
from backtests.forms.asking import title_of
from backtests.models import Backtest
from backtests.storage.results import ResultGone, StoredRun, read_run
from marketdata.models import from_ms
from marketdata.views.quotes import price_decimals

MOST: Final = 6
MOST_PAIRS: Final = 200


@require_safe
def compare_page(request: HttpRequest) -> HttpResponse:
    """Compare the runs named by `id`: their curves, their figures, and the trades of two."""
    runs = _chosen(request)
    context: dict[str, Any] = {
        "section": "backtests",
        "runs": [_run(place, backtest) for place, backtest in enumerate(runs)],
        "most": MOST,
        "rows": _figures(runs),
        "settings": _settings(runs),
        "curves": [_curve(place, backtest) for place, backtest in enumerate(runs)],
    }
    if len(runs) >= 2:
        context |= _differences(request, runs)
    return render(request, "backtests/compare.html", context)


def _chosen(request: HttpRequest) -> list[Backtest]:
    asked = [text for text in request.GET.getlist("id") if text.isascii() and text.isdigit()]
    numbers = [int(text) for text in dict.fromkeys(asked) if len(text) < 19]
    rows = Backtest.objects.visible_to(request.user).exclude(result_hash="")
    found = rows.select_related("instrument", "owner").in_bulk(numbers[:MOST])
    return [found[number] for number in sorted(found)]


def _run(place: int, backtest: Backtest) -> dict[str, Any]:
    return {"place": place, "backtest": backtest, "title": title_of(backtest.strategy)}


def _figures(runs: list[Backtest]) -> list[dict[str, Any]]:
    rows = []
    for metric in METRICS:
        values = [backtest.metrics.get(metric.key) for backtest in runs]
        best = best_of(metric, values)
        cells = [(text_of(metric, value), place in best) for place, value in enumerate(values)]
        rows.append({"title": metric.title, "formula": metric.formula, "cells": cells})
    return rows


def _settings(runs: list[Backtest]) -> list[dict[str, Any]]:
    """Return what the runs were asked for by, where it is not the same in all."""
    told = [
        {"strategy": title_of(one.strategy), "timeframe": one.timeframe}
        | {"instrument": str(one.instrument)}
        | {"from": f"{one.start:%Y-%m-%d %H:%M}", "to": f"{one.end:%Y-%m-%d %H:%M}"}
        | one.parameters
        | one.trading
        for one in runs
    ]
    names = dict.fromkeys(name for one in told for name in one)
    rows = [(name.replace("_", " "), [one.get(name) for one in told]) for name in names]
    return [
        {"title": title, "values": values}
        for title, values in rows
        if any(value != values[0] for value in values)
    ]


def _curve(place: int, backtest: Backtest) -> dict[str, Any]:
    """Return a thinned equity as a share of the initial balance."""
    equity = np.asarray(backtest.curve["equity"], dtype=np.float64)
    return {
        "title": f"{backtest.pk}: {title_of(backtest.strategy)} {backtest.timeframe}",
        "place": place,
        "time": backtest.curve["time_ms"],
        "value": equity / float(backtest.trading["cash"]),
    }


def _differences(request: HttpRequest, runs: list[Backtest]) -> dict[str, Any]:
    """Return the round trips of two runs in pairs: the first two, or `left` and `right`."""
    numbers = {str(one.pk): one for one in runs}
    left = numbers.get(request.GET.get("left", ""), runs[0])
    right = numbers.get(request.GET.get("right", ""), runs[1])
    told: dict[str, Any] = {"left": left, "right": right}
    try:
        both = read_run(left), read_run(right)
    except ResultGone as error:
        return told | {"gone": str(error)}
    pairs = pair_trips(both[0].trips, both[1].trips)
    rows = [_pair(pair, both, (left, right)) for pair in pairs]
    differing = [row for row in rows if row["kind"] != "same"]
    return told | {
        "counts": {
            kind: sum(row["kind"] == kind for row in rows)
            for kind in ("same", "differs", "left", "right")
        },
        "pairs": differing[:MOST_PAIRS],
        "has_more_pairs": len(differing) > MOST_PAIRS,
    }


def _pair(
    pair: Pair, runs: tuple[StoredRun, StoredRun], of: tuple[Backtest, Backtest]
) -> dict[str, Any]:
    sides = [
        _trip(run, place, price_decimals(backtest.instrument))
        for run, place, backtest in zip(runs, (pair.left, pair.right), of, strict=True)
    ]
    first, second = sides
    if first is None or second is None:
        kind, gap = ("left" if second is None else "right"), None
    else:
        kind = "same" if first == second else "differs"
        known = first["profit"] is not None and second["profit"] is not None
        gap = second["profit"] - first["profit"] if known else None
    entry = first or second
    return {
        "kind": kind,
        "entry": from_ms(entry["entry_ms"]) if entry else None,
        "side": entry["side"] if entry else "",
        "first": first,
        "second": second,
        "gap": money(gap, signed=True),
        "tone": tone(gap),
    }


def _trip(run: StoredRun, place: int | None, decimals: int) -> dict[str, Any] | None:
    if place is None:
        return None
    (row,) = trip_rows(run.trips, np.array([place]), run.units)
    del row["number"]
    return row | {
        "exit": None if row["exit_ms"] is None else from_ms(row["exit_ms"]),
        "decimals": decimals,
        "share_text": percent(row["share"], signed=True),
    }
