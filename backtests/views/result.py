"""The page of one backtest: while it waits and runs, and what came of it, years later too."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import orjson
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from numpy.typing import NDArray

from backtests.charts.bars import picture
from backtests.charts.cards import cards
from backtests.charts.curves import curves, kept_curves
from backtests.charts.trips import TripFilter, returns_of, trips_csv, trips_json
from backtests.domain.distribution import histogram
from backtests.forms.asking import title_of
from backtests.forms.notes import NotesForm
from backtests.forms.trading import settings_of
from backtests.models import Backtest
from backtests.storage.results import ResultGone, StoredRun, read_run
from backtests.views.access import seen
from backtests.views.months import month_table
from backtests.views.others import as_others_table
from backtests.views.price import chart_settings
from backtests.views.trades import trades_context
from marketdata.charts.errors import BadChartRequest
from marketdata.charts.levels import MAX_POINTS
from marketdata.views.queries import answer_in_sentences, time_range, whole_number
from strategies.catalogue import describe_strategy
from strategies.domain.errors import StrategyError
from tcpdashboard.common.rest import throttled
from tcpdashboard.common.rights import may_act_on


@require_safe
def result_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a backtest; a result whose file is lost keeps its figures and its thinned curve."""
    backtest = seen(request, pk)
    context = {
        "section": "backtests",
        "backtest": backtest,
        "title": title_of(backtest.strategy),
        "parameters": _parameters(backtest),
        "trading": settings_of(backtest.trading),
        "page_exchange": backtest.instrument.exchange,
        "may_act": may_act_on(request.user, backtest),
        "notes_form": NotesForm(
            initial={"tags": ", ".join(backtest.tags), "notes": backtest.notes}
        ),
        "error": backtest.error or (backtest.job.error if backtest.job else ""),
    }
    if backtest.state == Backtest.State.DONE:
        context |= _result(request, backtest)
    return render(request, "backtests/result.html", context)


@require_safe
@throttled("chart")
@answer_in_sentences
def equity(request: HttpRequest, pk: int) -> HttpResponse:
    """Return equity, buy and hold and drawdown of `start` to `end`, thinned, every extreme kept."""
    backtest = seen(request, pk)
    span = time_range(request.GET)
    most = whole_number(request.GET, "points", 10, MAX_POINTS, default=MAX_POINTS)
    try:
        run = read_run(backtest)
    except ResultGone as error:
        return JsonResponse({"error": str(error)}, status=409)
    columns = curves(
        run.close_times,
        run.equity,
        run.closes,
        units=run.units,
        start=run.start,
        span=span,
        most=most,
    )
    return HttpResponse(
        orjson.dumps(columns, option=orjson.OPT_SERIALIZE_NUMPY), content_type="application/json"
    )


@require_safe
def trades_part(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer the table of round trips, as the address narrows and sorts it."""
    backtest = seen(request, pk)
    try:
        run = read_run(backtest)
    except ResultGone as error:
        return render(request, "backtests/gone.html", {"reason": error}, status=409)
    return render(request, "backtests/trades.html", trades_context(backtest, run, request.GET))


@require_safe
@throttled("export")
@answer_in_sentences
def export(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the round trips that the address asks for as a file: `format` csv or json."""
    backtest = seen(request, pk)
    file_format = request.GET.get("format", "csv")
    if file_format not in _FORMATS:
        raise BadChartRequest(f"expected the format csv or json; was {file_format!r}")
    try:
        run = read_run(backtest)
    except ResultGone as error:
        return JsonResponse({"error": str(error)}, status=409)
    places = TripFilter.of(request.GET).places(run.trips)
    name = f"backtest-{backtest.pk}-trades.{file_format}"
    return HttpResponse(
        _FORMATS[file_format](run, places),
        content_type=_TYPES[file_format],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _csv(run: StoredRun, places: NDArray[np.intp]) -> bytes:
    return "".join(trips_csv(run.trips, places, run.units)).encode()


def _json(run: StoredRun, places: NDArray[np.intp]) -> bytes:
    return orjson.dumps(trips_json(run.trips, places, run.units))


_FORMATS: Final = {"csv": _csv, "json": _json}
_TYPES: Final = {"csv": "text/csv", "json": "application/json"}


def _parameters(backtest: Backtest) -> list[tuple[str, Any]]:
    """Return the parameters by their titles; by their names where the strategy cannot be asked."""
    try:
        titles = {each.name: each.title for each in describe_strategy(backtest.strategy).parameters}
    except StrategyError:
        titles = {}
    return [(titles.get(name, name), value) for name, value in backtest.parameters.items()]


def _result(request: HttpRequest, backtest: Backtest) -> dict[str, Any]:
    told = {
        "cards": cards(backtest.metrics),
        **_badges(backtest),
        "others": as_others_table(backtest),
        "curve": kept_curves(backtest.curve, float(backtest.trading["cash"])),
        "chart": chart_settings(backtest),
        "quote": backtest.instrument.quote,
    }
    try:
        run = read_run(backtest)
    except ResultGone as error:
        return told | {"gone": str(error)}
    return told | _of_file(request, backtest, run)


def _badges(backtest: Backtest) -> dict[str, Any]:
    """Return what the proofs' badge says, and the badges that no line of the page says already."""
    is_proof = {badge: badge.startswith("strategy ") for badge in backtest.badges}
    return {
        "proof_badge": next((badge for badge, of_proof in is_proof.items() if of_proof), ""),
        "other_badges": [
            badge
            for badge, of_proof in is_proof.items()
            if not of_proof and not badge.endswith(" minutes are complete")
        ],
    }


def _of_file(request: HttpRequest, backtest: Backtest, run: StoredRun) -> dict[str, Any]:
    return {
        "months": month_table(run),
        "distribution": picture(histogram(returns_of(run.trips))),
        **trades_context(backtest, run, request.GET),
    }
