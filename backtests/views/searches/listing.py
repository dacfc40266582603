"""The list of searches."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from backtests.charts.cards import text_of
from backtests.domain.metrics import METRICS
from backtests.forms.asking import title_of
from backtests.models import Search
from backtests.views.filtering import ListFilter, choices_of, older_than, query_without

PAGE: Final = 30
_STATES: Final = Search.State.values
_METRICS: Final = {metric.key: metric for metric in METRICS}


@require_safe
def searches_page(request: HttpRequest) -> HttpResponse:
    """List searches, newest first."""
    choices = choices_of(Search.objects.visible_to(request.user), _STATES)
    context = {"section": "backtests", **choices, **_context(request)}
    return render(request, "backtests/searches/list.html", context)


@require_safe
def searches_part(request: HttpRequest) -> HttpResponse:
    """Answer the list again, as the address narrows it."""
    return render(request, "backtests/searches/rows.html", _context(request))


def _context(request: HttpRequest) -> dict[str, Any]:
    chosen = ListFilter.of(request.GET, _STATES)
    before = request.GET.get("before", "")
    wanted = older_than(chosen.apply(Search.objects.visible_to(request.user)), before)
    if chosen.state:
        wanted = wanted.in_state(chosen.state)
    found = list(wanted.select_related("instrument", "owner").prefetch_related("jobs")[: PAGE + 1])
    return {
        "rows": [_row(search) for search in found[:PAGE]],
        "before": found[PAGE - 1].pk if len(found) > PAGE else None,
        "chosen": chosen,
        "is_later_page": bool(before),
        "query": query_without(request.GET, "before"),
        "shows_owner": request.user.is_staff,
    }


def _row(search: Search) -> dict[str, Any]:
    metric = _METRICS[search.objective]
    best = (search.summary.get("best") or [{}])[0]
    outside = (best.get("outside") or {}).get(search.objective)
    return {
        "search": search,
        "title": title_of(search.strategy),
        "axes": ", ".join(axis["name"] for axis in search.space),
        "objective": metric.title,
        "inside": text_of(metric, best.get("objective")),
        "outside": text_of(metric, outside),
    }
