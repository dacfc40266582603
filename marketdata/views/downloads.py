"""Files of what a chart shows."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from marketdata.charts.choices import parse_choices
from marketdata.charts.errors import BadChartRequest
from marketdata.charts.exports import CONTENT_TYPES, export_window
from marketdata.charts.levels import MAX_POINTS, Level, fitting_level
from marketdata.domain.timeframe import Timeframe, parse_timeframe
from marketdata.models import Instrument
from marketdata.views.forming import forming_candle
from marketdata.views.queries import answer_in_sentences, time_range, whole_number
from marketdata.views.windows import load_window
from tcpdashboard.common.rest import throttled

_MOST_CANDLES: Final = 200_000


@require_safe
@throttled("export")
@answer_in_sentences
def export(request: HttpRequest, exchange: str, symbol: str, timeframe: str) -> HttpResponse:
    """Return the candles of `start` to `end` as a file: `format` csv or json.

    The columns of `indicators` follow those of the candles. With `points` it is what a chart shows:
    its level, and the candle that is still forming. Without it the candles come as they are stored.
    """
    instrument = Instrument.objects.named(exchange, symbol)
    file_format = request.GET.get("format", "csv")
    if file_format not in CONTENT_TYPES:
        choices = " or ".join(CONTENT_TYPES)
        raise BadChartRequest(f"expected the format {choices}; was {file_format!r}")
    start_ms, end_ms = time_range(request.GET)
    level = _level(request, parse_timeframe(timeframe), start_ms, end_ms)
    indicators = parse_choices(request.GET.get("indicators", ""))
    window = load_window(instrument, level, start_ms, end_ms, indicators)
    shows_forming = "points" in request.GET and level.days == 1
    forming = forming_candle(instrument, level.timeframe) if shows_forming else None
    name = f"{exchange}-{symbol}-{level.name}.{file_format}"
    return HttpResponse(
        export_window(window, file_format, forming),
        content_type=CONTENT_TYPES[file_format],
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
        },
    )


def _level(request: HttpRequest, finest: Timeframe, start_ms: int, end_ms: int) -> Level:
    if "points" in request.GET:
        points = whole_number(request.GET, "points", 10, MAX_POINTS)
        return fitting_level(start_ms, end_ms, finest, points)
    candles = (end_ms - start_ms) // finest.ms
    if candles > _MOST_CANDLES:
        raise BadChartRequest(
            f"a file holds at most {_MOST_CANDLES:,} candles and this range has {candles:,}: "
            "ask for a shorter range or a longer timeframe, or use manage.py export_candles"
        )
    return Level(finest)
