"""The Chart page."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from marketdata.charts.choices import DEFAULT_CHOICES, Choice, choices_text, parse_choices
from marketdata.charts.errors import BadChartRequest
from marketdata.charts.levels import LEVELS_MS, fitting_level
from marketdata.domain.errors import InvalidTimeframe
from marketdata.domain.indicators import INDICATORS
from marketdata.domain.timeframe import Timeframe, parse_timeframe
from marketdata.models import Instrument
from marketdata.views.chart_data import figure_and_window
from marketdata.views.feeds import feed_of, feed_settings
from marketdata.views.queries import time_range
from marketdata.views.quotes import price_decimals, stored_quote
from marketdata.views.windows import stored_stretch
from tcpdashboard.common.rights import may_change

FIRST_TIMEFRAME: Final = Timeframe.M15
FIRST_CANDLES: Final = 540
"""Candles of a page's first window: what a wide screen shows and two widths before it."""

INDICATORS_COOKIE: Final = "tcpd_indicators"
_LAST_CHART: Final = "last_chart"


@require_safe
def chart_page(request: HttpRequest, exchange: str, symbol: str, timeframe: str) -> HttpResponse:
    """Show an instrument's candles; the browser fetches further windows as the person moves."""
    instrument, finest = _asked(exchange, symbol, timeframe)
    _remember(request, instrument, finest)
    stored = stored_stretch(instrument, finest)
    now = timezone.now()
    context = {
        "section": "chart",
        "instrument": instrument,
        "timeframe": finest.value,
        "timeframes": [each.value for each in Timeframe],
        "decimals": price_decimals(instrument),
        "quote": stored_quote(instrument),
        "feed": feed_of(instrument, now),
        "feeds": feed_settings(now),
        "others": _others(instrument),
        "page_exchange": exchange,
    }
    if stored is None:
        context["may_collect"] = may_change(request.user, Instrument)
        return render(request, "marketdata/chart_empty.html", context)
    context["chart"] = _chart_settings(request, instrument, finest, stored)
    return render(request, "marketdata/chart.html", context)


@require_safe
def last_chart(request: HttpRequest) -> HttpResponse:
    """Go to the chart this person saw last, or to the first instrument that is collected."""
    kept = request.session.get(_LAST_CHART)
    if kept is not None and Instrument.objects.filter(exchange=kept[0], symbol=kept[1]).exists():
        return redirect("chart", *kept)
    first = Instrument.objects.enabled().filter(exchange=settings.EXCHANGE).first()
    if first is None:
        messages.warning(request, "No instrument is collected yet: switch one on to see its chart.")
        return redirect("markets")
    return redirect("chart", first.exchange, first.symbol, FIRST_TIMEFRAME.value)


def _asked(exchange: str, symbol: str, timeframe: str) -> tuple[Instrument, Timeframe]:
    try:
        instrument = Instrument.objects.select_related("collector").named(exchange, symbol)
        return instrument, parse_timeframe(timeframe)
    except (Instrument.DoesNotExist, InvalidTimeframe) as error:
        raise Http404(str(error)) from None


def _remember(request: HttpRequest, instrument: Instrument, timeframe: Timeframe) -> None:
    chart = [instrument.exchange, instrument.symbol, timeframe.value]
    if request.session.get(_LAST_CHART) != chart:
        request.session[_LAST_CHART] = chart


def _others(instrument: Instrument) -> list[Instrument]:
    collected = Instrument.objects.enabled().filter(exchange=instrument.exchange)
    return list(collected.order_by("symbol"))


def _chart_settings(
    request: HttpRequest, instrument: Instrument, finest: Timeframe, stored: tuple[int, int]
) -> dict[str, Any]:
    """Return what the chart's script starts from: the first figure and what may be chosen."""
    choices = _choices(request)
    view = _asked_view(request)
    start_ms, end_ms = _around(view) if view else (stored[1] - FIRST_CANDLES * finest.ms, stored[1])
    level = fitting_level(max(start_ms, 0), end_ms, finest)
    return {
        "exchange": instrument.exchange,
        "symbol": instrument.symbol,
        "timeframe": finest.value,
        "timeframes": [{"name": each.value, "ms": each.ms} for each in Timeframe],
        "levels": LEVELS_MS,
        "base": instrument.base,
        "decimals": price_decimals(instrument),
        "stored": stored,
        "view": view,
        "indicators": choices_text(choices),
        "registry": _registry(),
        "layers": request.GET.get("layers", ""),
        "layer_sources": {kind: reverse(name) for kind, name in settings.CHART_LAYERS.items()},
        **figure_and_window(instrument, finest, level, max(start_ms, 0), end_ms, choices),
    }


def _choices(request: HttpRequest) -> tuple[Choice, ...]:
    """Return the indicators of the address, else the remembered ones, else the usual ones."""
    # Scripts write commas and colons of a cookie in percent signs; Django leaves them so.
    remembered = unquote(request.COOKIES.get(INDICATORS_COOKIE, DEFAULT_CHOICES))
    for text in (request.GET.get("indicators", remembered), remembered):
        try:
            return parse_choices(text)
        except BadChartRequest:
            continue
    return parse_choices(DEFAULT_CHOICES)


def _asked_view(request: HttpRequest) -> tuple[int, int] | None:
    try:
        return time_range(request.GET)
    except BadChartRequest:
        return None


def _around(view: tuple[int, int]) -> tuple[int, int]:
    """Return the view with half its width on both sides."""
    start_ms, end_ms = view
    margin_ms = (end_ms - start_ms) // 2
    return start_ms - margin_ms, end_ms + margin_ms


def _registry() -> list[dict[str, Any]]:
    return [
        {
            "key": indicator.key,
            "title": indicator.title,
            "pane": indicator.pane,
            "parameters": [
                {
                    "title": parameter.title,
                    "help": parameter.help,
                    "is_whole": parameter.is_whole,
                    "default": parameter.default,
                    "min": parameter.min,
                    "max": parameter.max,
                }
                for parameter in indicator.parameters
            ],
        }
        for indicator in INDICATORS.values()
    ]
