"""The price chart of a result: candles and the strategy's indicators, window by window."""

from __future__ import annotations

from typing import Any, Final

import orjson
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from backtests.charts.price import place_indicators, price_figure, with_indicators
from backtests.models import Backtest
from backtests.views.access import seen
from backtests.views.indicators import seen_by_strategy
from marketdata.charts.figures import skeleton
from marketdata.charts.levels import LEVELS_MS, MAX_POINTS, fitting_level
from marketdata.domain.timeframe import Timeframe
from marketdata.models import to_ms
from marketdata.views.queries import answer_in_sentences, time_range, whole_number
from marketdata.views.quotes import price_decimals
from marketdata.views.windows import load_window, window_payload
from tcpdashboard.common.rest import throttled

_FEWEST_POINTS: Final = 10


@require_safe
@throttled("chart")
@answer_in_sentences
def window(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the candles of `start` to `end` with the strategy's indicators, and their figure."""
    backtest = seen(request, pk)
    start_ms, end_ms = time_range(request.GET)
    points = whole_number(request.GET, "points", _FEWEST_POINTS, MAX_POINTS, default=MAX_POINTS)
    timeframe = Timeframe(backtest.timeframe)
    level = fitting_level(start_ms, end_ms, timeframe, points)
    decided = seen_by_strategy(backtest)
    places = place_indicators(decided)
    candles = load_window(backtest.instrument, level, start_ms, end_ms, ())
    shown = with_indicators(candles, decided, places)
    content = {
        "figure": skeleton(price_figure(shown, decided, places)),
        "window": window_payload(shown, backtest.timeframe),
        "note": decided.note,
    }
    return HttpResponse(
        orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY),
        content_type="application/json",
        headers={"Cache-Control": "private, no-cache"},
    )


def chart_settings(backtest: Backtest) -> dict[str, Any]:
    """Return what the chart's script starts from."""
    return {
        "timeframe": backtest.timeframe,
        "finest": Timeframe(backtest.timeframe).ms,
        "levels": LEVELS_MS,
        "decimals": price_decimals(backtest.instrument),
        "stretch": {"start": to_ms(backtest.start), "end": to_ms(backtest.end)},
    }
