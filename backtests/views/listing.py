"""The list of backtests, and its part, which the page fetches again when something changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from backtests.charts.cards import card
from backtests.domain.metrics import METRICS
from backtests.forms.asking import title_of
from backtests.models import Backtest
from backtests.views.filtering import ListFilter, choices_of, older_than, query_without
from tcpdashboard.common.models import Job
from tcpdashboard.common.rights import may_act_on

PAGE: Final = 30
_SHOWN: Final = ("total_return", "buy_and_hold", "sharpe", "max_drawdown", "round_trips")
_COLUMNS: Final = tuple(metric for metric in METRICS if metric.key in _SHOWN)
_STATES: Final[Mapping[str, Q]] = {
    "done": ~Q(result_hash=""),
    "running": Q(result_hash="", job__state__in=("queued", "paused", *("running", "cancelling"))),
    "failed": Q(result_hash="") & (Q(job__state=Job.State.FAILED) | Q(job=None) & ~Q(error="")),
    "cancelled": Q(result_hash="") & (Q(job__state=Job.State.CANCELLED) | Q(job=None, error="")),
}


@require_safe
def backtests_page(request: HttpRequest) -> HttpResponse:
    """List backtests, newest first, with what they came to."""
    choices = choices_of(Backtest.objects.visible_to(request.user), _STATES)
    context = {"section": "backtests", **choices, **_context(request)}
    return render(request, "backtests/list.html", context)


@require_safe
def backtests_part(request: HttpRequest) -> HttpResponse:
    """Answer the list again, as the address narrows it."""
    return render(request, "backtests/rows.html", _context(request))


def _context(request: HttpRequest) -> dict[str, Any]:
    chosen = ListFilter.of(request.GET, _STATES)
    rows = Backtest.objects.visible_to(request.user).select_related("instrument", "job", "owner")
    before = request.GET.get("before", "")
    wanted = older_than(chosen.apply(rows), before)
    if chosen.state:
        wanted = wanted.filter(_STATES[chosen.state])
    # The curve and the integrity of each are large, and not shown here.
    found = list(wanted.defer("curve", "integrity", "units")[: PAGE + 1])
    shown = found[:PAGE]
    return {
        "rows": [_row(request, backtest) for backtest in shown],
        "columns": _COLUMNS,
        "chosen": chosen,
        "is_later_page": bool(before),
        "before": shown[-1].pk if len(found) > PAGE else None,
        "shows_owner": request.user.is_staff,
        "query": query_without(request.GET, "before"),
    }


def _row(request: HttpRequest, backtest: Backtest) -> dict[str, Any]:
    is_done = backtest.state == Backtest.State.DONE
    return {
        "backtest": backtest,
        "title": title_of(backtest.strategy),
        "cards": [card(metric, backtest.metrics.get(metric.key)) for metric in _COLUMNS]
        if is_done
        else [],
        "may_act": may_act_on(request.user, backtest),
        "may_follow": request.user.is_staff or backtest.owner_id == request.user.pk,
        "error": backtest.error or (backtest.job.error if backtest.job else ""),
    }
