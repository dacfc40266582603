"""One search: how far it is, the best with what they came to elsewhere, and the whole landscape."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from backtests.charts.cards import card, text_of
from backtests.charts.heat import heat_cells
from backtests.charts.numbers import percent, ratio, utc
from backtests.domain.metrics import METRICS
from backtests.forms.asking import title_of
from backtests.forms.trading import settings_of
from backtests.models import Search, Trial
from backtests.storage.trials import heat, ordered_trials
from backtests.views.paging import page_of
from tcpdashboard.common.rights import may_act_on

PAGE: Final = 25
PICKS: Final = {"best": "Best of a cell", "mean": "Mean of a cell", "worst": "Worst of a cell"}
ORDERS: Final = {"objective": "Best first", "outside": "Best out of sample", "number": "As tried"}
_METRICS: Final = {metric.key: metric for metric in METRICS}
_COLUMNS: Final = ("total_return", "max_drawdown", "round_trips")


@require_safe
def search_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a search while it runs and when it is over."""
    search = _seen(request, pk)
    metric = _METRICS[search.objective]
    jobs = list(search.jobs.all())
    context = {
        "section": "backtests",
        "search": search,
        "title": title_of(search.strategy),
        "metric": metric,
        "settings": settings_of(search.trading),
        "axes": [_axis(axis) for axis in search.space],
        "page_exchange": search.instrument.exchange,
        "may_act": may_act_on(request.user, search),
        "error": search.error or next((job.error for job in jobs if job.error), ""),
        "tiles": _tiles(search),
        "forward": _forward(search),
        "windows": list(range(len(search.windows))),
        **_trials(request, search),
        **_heat(request, search),
    }
    return render(request, "backtests/searches/page.html", context)


@require_safe
def trials_part(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer a page of the trials."""
    search = _seen(request, pk)
    return render(request, "backtests/searches/trials.html", _trials(request, search))


@require_safe
def heat_part(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer the table of two parameters."""
    return render(request, "backtests/searches/heat.html", _heat(request, _seen(request, pk)))


def _seen(request: HttpRequest, pk: int) -> Search:
    rows = Search.objects.select_related("instrument", "owner").prefetch_related("jobs")
    return get_object_or_404(rows.visible_to(request.user), pk=pk)


def _axis(axis: dict[str, Any]) -> tuple[str, str]:
    """Return a searched parameter and what was tried of it."""
    if "values" in axis:
        return axis["name"], ", ".join(map(str, axis["values"]))
    step = f" in steps of {axis['step']:g}" if "step" in axis else ""
    return axis["name"], f"{axis['min']:g} to {axis['max']:g}{step}"


def _tiles(search: Search) -> list[tuple[str, str, str]]:
    """Return what came out in a few figures: title, text, and what it means."""
    summary, metric = search.summary, _METRICS[search.objective]
    if not summary:
        return []
    decay, deflated = summary.get("decay") or {}, summary.get("deflated_sharpe")
    told = [(f"Best {metric.title}", text_of(metric, _best(summary)), metric.formula)]
    if decay:
        kept = percent(decay.get("efficiency"))
        outside = text_of(metric, decay.get("outside"))
        told.append((f"{metric.title} out of sample", outside, "On candles that chose nothing."))
        meaning = "Daily growth out of sample / daily growth in sample (Pardo, 2008)."
        told.append(("Kept out of sample", kept, meaning))
    if "rank_correlation" in decay:
        meaning = "Of the order in sample and out of it (Spearman): 1 is the same order."
        told.append(("Order kept", ratio(decay["rank_correlation"]), meaning))
    if deflated:
        meaning = (
            f"That the true Sharpe ratio is above 0, knowing that {deflated['trials']} were tried "
            f"(deflated Sharpe ratio; luck alone would show {ratio(deflated['threshold'])})."
        )
        told.append(("Chance of skill", percent(deflated["probability"]), meaning))
    return [*told, *_played(summary.get("monte_carlo") or {})]


def _best(summary: dict[str, Any]) -> float | None:
    return next((one["objective"] for one in summary.get("best", [])), None)


def _played(told: dict[str, Any]) -> list[tuple[str, str, str]]:
    played = told.get("outside") or told.get("inside")
    if not played:
        return []
    drawn, falls = played["bootstrap"], played["shuffle"]["max_drawdown"]
    runs = f"{played['runs']:,} runs of its {played['round_trips']} round trips"
    low, high = percent(drawn["total_return"]["p5"]), percent(drawn["total_return"]["p95"])
    return [
        ("Return, 9 of 10", f"{low} to {high}", f"{runs}, drawn with replacement."),
        ("Drawdown, 19 of 20 below", percent(falls["p95"]), f"{runs}, in any order."),
    ]


def _forward(search: Search) -> dict[str, Any] | None:
    """Return the stitched tests of a walk forward; None for other searches."""
    forward = search.summary.get("walk_forward")
    if not forward:
        return None
    metric = _METRICS[search.objective]
    return {
        "cards": [card(one, forward["metrics"].get(one.key)) for one in METRICS],
        "curve": forward["curve"],
        "windows": [
            {
                "train": f"{utc(one['train'][0])[:10]} to {utc(one['train'][1])[:10]}",
                "test": f"{utc(one['test'][0])[:10]} to {utc(one['test'][1])[:10]}",
                "parameters": one["parameters"],
                "inside": text_of(metric, one["objective"]),
                "outside": text_of(metric, (one["outside"] or {}).get(metric.key)),
            }
            for one in forward["windows"]
        ],
    }


def _trials(request: HttpRequest, search: Search) -> dict[str, Any]:
    order = request.GET.get("order", "objective")
    order = order if order in ORDERS else "objective"
    window = _window(request, search)
    found = ordered_trials(search, window, order)
    total = found.count()
    page = page_of(request.GET.get("page", ""), total, PAGE)
    columns = [_METRICS[key] for key in _COLUMNS if key != search.objective]
    has_return_column = search.objective != "total_return"
    return {
        "search": search,
        "names": [axis["name"] for axis in search.space],
        "metric": _METRICS[search.objective],
        "columns": columns,
        "has_return_column": has_return_column,
        # Of the objective, the other figures, what came out elsewhere and the link.
        "width": 1 + len(columns) + 1 + has_return_column + 1,
        "trials": [_trial(search, trial) for trial in found[page.rows]],
        "total_trials": total,
        "order": order,
        "orders": ORDERS,
        "window": window,
        "windows": list(range(len(search.windows))),
        "page": page,
        "query": urlencode({"order": order, "window": window}),
    }


def _trial(search: Search, trial: Trial) -> dict[str, Any]:
    metric = _METRICS[search.objective]
    outside = trial.outside or {}
    return {
        "trial": trial,
        "values": [trial.parameters.get(axis["name"]) for axis in search.space],
        "objective": text_of(metric, trial.objective),
        "figures": [
            text_of(_METRICS[key], trial.metrics.get(key))
            for key in _COLUMNS
            if key != search.objective
        ],
        "outside": text_of(metric, outside.get(metric.key)) if trial.outside else "",
        "outside_return": percent(outside.get("total_return"), signed=True) if outside else "",
    }


def _heat(request: HttpRequest, search: Search) -> dict[str, Any]:
    names = [axis["name"] for axis in search.space]
    if len(names) < 2:
        return {"heat": None}
    x = request.GET.get("x", "")
    x = x if x in names else names[0]
    y = request.GET.get("y", "")
    y = y if y in names and y != x else next(name for name in names if name != x)
    key, pick = request.GET.get("metric", ""), request.GET.get("pick", "")
    key, pick = key if key in _METRICS else search.objective, pick if pick in PICKS else "best"
    found = heat(search, _window(request, search), x, y, key, pick)
    return {
        "search": search,
        "heat": heat_cells(found, is_maximised=search.maximises(key)),
        "heat_names": names,
        "heat_metric": key,
        "heat_metrics": METRICS,
        "pick": pick,
        "picks": PICKS,
        "window": _window(request, search),
        "windows": list(range(len(search.windows))),
    }


def _window(request: HttpRequest, search: Search) -> int:
    """Return the window that the address asks for, counted from 0; the nearest one there is."""
    text = request.GET.get("window", "")
    is_number = text.isascii() and text.isdigit() and len(text) < 9
    return min(int(text), len(search.windows) - 1) if is_number else 0
