"""The Data page itself, and its parts, which its script fetches again when something changed."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from marketdata.forms import BackfillForm, LockForm
from marketdata.models import Instrument
from marketdata.retention.planning import plan
from marketdata.storage.sizes import storage_by_table
from marketdata.views.data import lists
from marketdata.views.data.heatmap import FIRST_RANGE, RANGES, heatmap, legend
from marketdata.views.markets import exchanges_known


@require_safe
def data_page(request: HttpRequest) -> HttpResponse:
    """Show coverage, gaps, differing minutes, locks, backfills and storage of one exchange."""
    return show_page(request)


def show_page(
    request: HttpRequest,
    *,
    backfill: BackfillForm | None = None,
    lock: LockForm | None = None,
) -> HttpResponse:
    """Return the page; with a form that was refused, the form says why."""
    exchange = request.GET.get("exchange") or settings.EXCHANGE
    chosen = range_of(request)
    coverage = heatmap(exchange, chosen)
    user = request.user
    context: dict[str, Any] = {
        "section": "data",
        "exchange": exchange,
        "exchanges": exchanges_known(),
        "page_exchange": exchange,
        "ranges": RANGES,
        "range": chosen,
        "coverage": coverage,
        "legend": legend(),
        "symbols": [row["symbol"] for row in coverage["rows"]],
        "backfill_form": backfill or BackfillForm(initial={"exchange": exchange}),
        "lock_form": lock or LockForm(),
        "known": Instrument.objects.filter(exchange=exchange).exists(),
        **lists.gaps_context(exchange, request.GET, user),
        **lists.differences_context(exchange, user),
        **lists.locks_context(exchange, user),
        **lists.backfills_context(exchange, user),
    }
    return render(request, "marketdata/data/page.html", context)


@require_safe
def coverage_figures(request: HttpRequest) -> JsonResponse:
    """Answer the heat map's figures again."""
    return JsonResponse(heatmap(_exchange(request), range_of(request)))


@require_safe
def gaps_part(request: HttpRequest) -> HttpResponse:
    """Answer the list of gaps, as the address narrows it."""
    context = lists.gaps_context(_exchange(request), request.GET, request.user)
    return render(request, "marketdata/data/gaps.html", context)


@require_safe
def backfills_part(request: HttpRequest) -> HttpResponse:
    """Answer the list of backfills."""
    context = lists.backfills_context(_exchange(request), request.user)
    return render(request, "marketdata/data/backfills.html", context)


@require_safe
def storage_part(request: HttpRequest) -> HttpResponse:
    """Answer how much lies in which table; measured when somebody looks, not with the page."""
    tables = storage_by_table()
    context = {"tables": tables, "total_bytes": sum(table.bytes for table in tables)}
    return render(request, "marketdata/data/storage.html", context)


@require_safe
def retention_part(request: HttpRequest) -> HttpResponse:
    """Answer what the next enforcement of retention would take away; it takes nothing."""
    found = plan()
    going = [one for one in found if one.kept_because is None]
    context = {"found": found, "bytes": sum(one.bytes for one in going), "going": len(going)}
    return render(request, "marketdata/data/retention.html", context)


def range_of(request: HttpRequest) -> str:
    """Return the range that the address names, or the usual one."""
    asked = request.GET.get("range", "")
    return asked if asked in RANGES else FIRST_RANGE


def _exchange(request: HttpRequest) -> str:
    return request.GET.get("exchange") or settings.EXCHANGE
