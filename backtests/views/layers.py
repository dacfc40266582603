"""Fills as layers of a chart: which there are for an instrument, and one over a stretch of time."""

from __future__ import annotations

from typing import Final

import orjson
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from backtests.charts.marks import fill_marks, trip_lines
from backtests.charts.numbers import percent
from backtests.forms.asking import title_of
from backtests.models import Backtest
from backtests.storage.results import ResultGone, read_run
from backtests.views.access import seen
from marketdata.views.queries import answer_in_sentences, time_range
from tcpdashboard.common.rest import throttled

_MOST: Final = 30


@require_safe
def layer_list(request: HttpRequest) -> JsonResponse:
    """Return the newest finished backtests of `exchange` and `symbol`, as layers to choose."""
    rows = (
        Backtest.objects.visible_to(request.user)
        .exclude(result_hash="")
        .filter(
            instrument__exchange=request.GET.get("exchange", ""),
            instrument__symbol=request.GET.get("symbol", ""),
        )
    )
    found = rows.only("pk", "strategy", "timeframe", "metrics", "created_at")[:_MOST]
    return JsonResponse({"layers": [_told(backtest) for backtest in found]})


@require_safe
@throttled("chart")
@answer_in_sentences
def layer(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the fills of `start` to `end`, and a line from each entry to its exit."""
    backtest = seen(request, pk)
    start_ms, end_ms = time_range(request.GET)
    try:
        run = read_run(backtest)
    except ResultGone as error:
        return JsonResponse({"error": str(error)}, status=409)
    content = {
        "key": f"backtest:{backtest.pk}",
        "title": f"Backtest {backtest.pk}",
        "marks": fill_marks(run.fills, run.units, start_ms, end_ms),
        "lines": trip_lines(run.trips, run.units, start_ms, end_ms),
    }
    return HttpResponse(orjson.dumps(content), content_type="application/json")


def _told(backtest: Backtest) -> dict[str, str]:
    gained = percent(backtest.metrics.get("total_return"), signed=True)
    return {
        "key": f"backtest:{backtest.pk}",
        "title": f"Backtest {backtest.pk}: {title_of(backtest.strategy)}",
        "detail": f"{backtest.timeframe}, {gained}, {backtest.created_at:%Y-%m-%d}",
    }
