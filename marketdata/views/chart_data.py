"""The windows a chart asks for while a person moves through history."""

from __future__ import annotations

from typing import Any, Final

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from marketdata.charts.choices import Choice, parse_choices
from marketdata.charts.figures import build_figure, skeleton
from marketdata.charts.levels import MAX_POINTS, Level, fitting_level
from marketdata.domain.timeframe import Timeframe, parse_timeframe
from marketdata.models import Instrument
from marketdata.views.queries import answer_in_sentences, time_range, whole_number
from marketdata.views.windows import load_window, window_payload, window_tag
from tcpdashboard.common.rest import throttled

_FEWEST_POINTS: Final = 10


@require_safe
@throttled("chart")
@answer_in_sentences
def window(request: HttpRequest, exchange: str, symbol: str, timeframe: str) -> HttpResponse:
    """Return the candles of `start` to `end` and their indicators, at the level that fits.

    The answer is revalidated by its ETag, so that going back and forth costs one short query.
    """
    instrument = Instrument.objects.named(exchange, symbol)
    finest = parse_timeframe(timeframe)
    start_ms, end_ms, level, choices = _asked(request, finest)
    tag = window_tag(instrument, level, start_ms, end_ms, choices)
    unchanged = get_conditional_response(request, etag=tag)
    if unchanged is not None:
        return unchanged
    loaded = load_window(instrument, level, start_ms, end_ms, choices)
    return _json(window_payload(loaded, finest.value), tag)


@require_safe
@throttled("chart")
@answer_in_sentences
def figure(request: HttpRequest, exchange: str, symbol: str, timeframe: str) -> HttpResponse:
    """Return a new figure with its window: what a chart needs when its indicators change."""
    instrument = Instrument.objects.named(exchange, symbol)
    finest = parse_timeframe(timeframe)
    start_ms, end_ms, level, choices = _asked(request, finest)
    return _json(figure_and_window(instrument, finest, level, start_ms, end_ms, choices))


def figure_and_window(
    instrument: Instrument,
    finest: Timeframe,
    level: Level,
    start_ms: int,
    end_ms: int,
    choices: tuple[Choice, ...],
) -> dict[str, Any]:
    """Return the figure over [start_ms, end_ms) without its arrays, and the window with them."""
    loaded = load_window(instrument, level, start_ms, end_ms, choices)
    return {
        "figure": skeleton(build_figure(loaded, choices)),
        "window": window_payload(loaded, finest.value),
    }


def _asked(request: HttpRequest, finest: Timeframe) -> tuple[int, int, Level, tuple[Choice, ...]]:
    start_ms, end_ms = time_range(request.GET)
    points = whole_number(request.GET, "points", _FEWEST_POINTS, MAX_POINTS, default=MAX_POINTS)
    level = fitting_level(start_ms, end_ms, finest, points)
    return start_ms, end_ms, level, parse_choices(request.GET.get("indicators", ""))


def _json(content: dict[str, Any], tag: str | None = None) -> HttpResponse:
    response = HttpResponse(
        orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), content_type="application/json"
    )
    response["Cache-Control"] = "private, no-cache"
    if tag is not None:
        response["ETag"] = tag
    return response
