"""Several runs over one another, and the round trips of two of them side by side."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from backtests.charts.cards import best_of, text_of
from backtests.domain.metrics import METRICS
from backtests.forms.asking import title_of
from backtests.forms.trading import settings_of
from backtests.models import Backtest
from backtests.views.filtering import query_without
from backtests.views.pairs import differences

MOST: Final = 6


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
    told = [_asked(one) for one in runs]
    keys = dict.fromkeys(key for one in told for key in one)
    rows = [(key[1], [one.get(key) for one in told]) for key in keys]
    return [
        {"title": title, "values": values}
        for title, values in rows
        if any(value != values[0] for value in values)
    ]


def _asked(backtest: Backtest) -> dict[tuple[str, str], Any]:
    """Return what a run was asked for by; a parameter may be called as a setting is."""
    market = {
        "strategy": title_of(backtest.strategy),
        "timeframe": backtest.timeframe,
        "instrument": str(backtest.instrument),
        "from": f"{backtest.start:%Y-%m-%d %H:%M}",
        "to": f"{backtest.end:%Y-%m-%d %H:%M}",
    }
    parameters = {name.replace("_", " "): value for name, value in backtest.parameters.items()}
    groups = {"": market, "parameter": parameters, "setting": dict(settings_of(backtest.trading))}
    return {(group, name): value for group, of in groups.items() for name, value in of.items()}


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
    told = differences(left, right, request.GET.get("page", ""))
    return told | {"query": query_without(request.GET, "page")}
