"""The list of backtests, and its part, which the page fetches again when something changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from backtests.charts.cards import card
from backtests.domain.metrics import METRICS
from backtests.forms.asking import title_of
from backtests.models import Backtest
from backtests.models.backtests import BacktestQuerySet
from backtests.views.access import may_act
from marketdata.domain.timeframe import Timeframe
from tcpdashboard.common.models import Job

PAGE: Final = 30
_SHOWN: Final = ("total_return", "buy_and_hold", "sharpe", "max_drawdown", "round_trips")
_COLUMNS: Final = tuple(metric for metric in METRICS if metric.key in _SHOWN)
_STATES: Final[Mapping[str, Q]] = {
    "done": ~Q(result_hash=""),
    "running": Q(result_hash="", job__state__in=("queued", "paused", *("running", "cancelling"))),
    "failed": Q(result_hash="") & (Q(job__state=Job.State.FAILED) | Q(job=None) & ~Q(error="")),
    "cancelled": Q(result_hash="") & (Q(job__state=Job.State.CANCELLED) | Q(job=None, error="")),
}


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Which backtests are wanted; empty is all. What is unknown counts as empty."""

    strategy: str = ""
    symbol: str = ""
    timeframe: str = ""
    state: str = ""
    tag: str = ""
    q: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> ListFilter:
        """Read it from an address."""
        given = {name: query.get(name, "").strip()[:64] for name in cls.__slots__}
        if given["timeframe"] not in list(Timeframe):
            given["timeframe"] = ""
        if given["state"] not in _STATES:
            given["state"] = ""
        return cls(**given)

    @property
    def is_set(self) -> bool:
        """Whether it leaves anything out."""
        return any(getattr(self, name) for name in self.__slots__)

    def apply(self, backtests: BacktestQuerySet) -> BacktestQuerySet:
        """Return those of `backtests` that are wanted."""
        plain = {
            "strategy": self.strategy,
            "instrument__symbol": self.symbol,
            "timeframe": self.timeframe,
            "tags__contains": self.tag,
        }
        found = backtests.filter(**{name: value for name, value in plain.items() if value})
        if self.state:
            found = found.filter(_STATES[self.state])
        if self.q:
            found = found.filter(Q(notes__icontains=self.q) | Q(tags__icontains=self.q))
        return found


@require_safe
def backtests_page(request: HttpRequest) -> HttpResponse:
    """List backtests, newest first, with what they came to."""
    context = {"section": "backtests", **_choices(request), **_context(request)}
    return render(request, "backtests/list.html", context)


@require_safe
def backtests_part(request: HttpRequest) -> HttpResponse:
    """Answer the list again, as the address narrows it."""
    return render(request, "backtests/rows.html", _context(request))


def _context(request: HttpRequest) -> dict[str, Any]:
    chosen = ListFilter.of(request.GET)
    rows = Backtest.objects.visible_to(request.user).select_related("instrument", "job", "owner")
    before = request.GET.get("before", "")
    wanted = chosen.apply(rows)
    if before.isascii() and before.isdigit() and len(before) < 19:
        wanted = wanted.filter(pk__lt=int(before))
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
        "query": _query(request),
    }


def _row(request: HttpRequest, backtest: Backtest) -> dict[str, Any]:
    is_done = backtest.state == Backtest.State.DONE
    return {
        "backtest": backtest,
        "title": title_of(backtest.strategy),
        "cards": [card(metric, backtest.metrics.get(metric.key)) for metric in _COLUMNS]
        if is_done
        else [],
        "may_act": may_act(request.user, backtest),
        "may_follow": request.user.is_staff or backtest.owner_id == request.user.pk,
        "error": backtest.error or (backtest.job.error if backtest.job else ""),
    }


def _choices(request: HttpRequest) -> dict[str, Any]:
    rows = Backtest.objects.visible_to(request.user).order_by()
    return {
        "strategies": [
            (key, title_of(key))
            for key in rows.values_list("strategy", flat=True).distinct().order_by("strategy")
        ],
        "symbols": rows.values_list("instrument__symbol", flat=True)
        .distinct()
        .order_by("instrument__symbol"),
        "timeframes": [each.value for each in Timeframe],
        "states": list(_STATES),
    }


def _query(request: HttpRequest) -> str:
    query = request.GET.copy()
    query.pop("before", None)
    return query.urlencode()
