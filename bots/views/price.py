"""The chart of a bot's instrument, and what it did as a layer over any chart of it."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from backtests.domain.units import Units
from bots.charts.layers import (
    Minutes,
    fill_marks,
    signal_marks,
    stop_lines,
    trail_lines,
    trailed,
)
from bots.domain.trips import RoundTrip, round_trips
from bots.models import Bot
from bots.models.access import shown_to
from bots.models.figures import fills_around
from bots.views.access import bot_or_404
from marketdata.charts.choices import parse_choices
from marketdata.charts.errors import BadChartRequest
from marketdata.charts.levels import LEVELS_MS, fitting_level
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import from_ms, to_ms
from marketdata.storage.columns import read_columns
from marketdata.views.chart_data import figure_and_window
from marketdata.views.queries import answer_in_sentences, time_range
from marketdata.views.quotes import price_decimals
from marketdata.views.windows import stored_stretch
from strategies.domain.errors import InvalidParameters
from strategies.domain.registry import STRATEGIES
from tcpdashboard.common.rest import throttled

FIRST_CANDLES: Final = 360
MOST_LAYERS: Final = 50
MOST_MARKS: Final = 2_000
_MOST_TRAILED: Final = 100_000
"""How many minutes back it is looked how a trailing stop moved."""


def price_settings(bot: Bot) -> dict[str, Any] | None:
    """Return what the chart's script starts from; None while no candle is stored."""
    timeframe, instrument = Timeframe(bot.timeframe), bot.instrument
    stored = stored_stretch(instrument, timeframe)
    if stored is None:
        return None
    chosen = indicators_of(bot)
    start_ms = max(stored[1] - FIRST_CANDLES * timeframe.ms, 0)
    level = fitting_level(start_ms, stored[1], timeframe)
    choices = parse_choices(chosen)
    return {
        "exchange": instrument.exchange,
        "symbol": instrument.symbol,
        "timeframe": timeframe.value,
        "timeframes": [{"name": each.value, "ms": each.ms} for each in Timeframe],
        "levels": LEVELS_MS,
        "decimals": price_decimals(instrument),
        "stored": stored,
        "view": None,
        "indicators": chosen,
        "layers": f"bot:{bot.pk}",
        "layer_sources": {"bot": reverse("bot-layers")},
        **figure_and_window(instrument, timeframe, level, start_ms, stored[1], choices),
    }


def indicators_of(bot: Bot) -> str:
    """Return the indicators that a bot's strategy looks at on its own candles, as charts name them.

    Those of people's own strategies are not known here: their code runs elsewhere. None either of
    parameters that the strategy does not take any more.
    """
    kind = STRATEGIES.get(bot.config.strategy)
    try:
        strategy = kind(bot.timeframe, bot.config.params) if kind else None
    except InvalidParameters:
        return ""
    uses = strategy.uses() if strategy is not None and hasattr(strategy, "uses") else ()
    own = [use for use in uses if use.timeframe is None and not use.is_before]
    names = [":".join([use.key, *(f"{value:g}" for value in use.params.values())]) for use in own]
    text = ",".join(dict.fromkeys(names))
    try:
        parse_choices(text)
    except BadChartRequest:
        return ""
    return text


@require_safe
def layer_list(request: HttpRequest) -> HttpResponse:
    """List the bots that a person may draw over an instrument's candles."""
    names = {name: request.GET.get(name, "")[:64] for name in ("exchange", "symbol")}
    found = shown_to(request.user).filter(
        instrument__exchange=names["exchange"], instrument__symbol=names["symbol"]
    )
    layers = [
        {
            "key": f"bot:{bot.pk}",
            "title": f"Bot {bot.name}",
            "detail": f"{bot.config.strategy}, {bot.timeframe}, {bot.state}",
        }
        for bot in found.select_related("config").order_by("-pk")[:MOST_LAYERS]
    ]
    return JsonResponse({"layers": layers})


@require_safe
@throttled("chart")
@answer_in_sentences
def layer(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer a bot's fills, signals and stops from `start` to `end` (ms), in columns."""
    bot = bot_or_404(request, pk)
    start_ms, end_ms = time_range(request.GET)
    start, end = from_ms(start_ms), from_ms(end_ms)
    fills = fills_around(bot, start, end, MOST_MARKS)
    shown = [fill for fill in fills if fill.time >= start]
    signals = bot.signals.filter(time__gte=start, time__lt=end).order_by("-time")[:MOST_MARKS]
    marks = sorted([*fill_marks(shown), *signal_marks(signals)], key=lambda mark: mark[0])
    columns = ("time", "price", "side", "text")
    return JsonResponse(
        {
            "key": f"bot:{bot.pk}",
            "title": bot.name,
            "marks": {name: [mark[place] for mark in marks] for place, name in enumerate(columns)},
            "lines": _lines(bot, round_trips(fills), start_ms, end_ms),
        }
    )


def _lines(bot: Bot, trips: list[RoundTrip], start_ms: int, end_ms: int) -> list[dict[str, Any]]:
    """Return the stops of the round trips in a stretch."""
    runs = list(bot.runs.order_by("number").values_list("start", "trading", "units"))
    rules = [(start, trading) for start, trading, _ in runs]
    lines = stop_lines(trips, rules, start_ms, end_ms)
    shown = trailed(trips, rules, start_ms, end_ms)
    if not shown:
        return lines
    # An account keeps its tick for life.
    units = Units.from_json(runs[-1][2])
    first_ms = max(to_ms(shown[0].entry), end_ms - _MOST_TRAILED * MINUTE_MS)
    return lines + trail_lines(shown, rules, units, _minutes(bot, units, first_ms, end_ms), end_ms)


def _minutes(bot: Bot, units: Units, start_ms: int, end_ms: int) -> Minutes:
    candles = read_columns(bot.instrument, Timeframe.M1, start_ms, end_ms)
    high, low = (units.ticks(prices)[0] for prices in (candles.high, candles.low))
    return Minutes(start_ms, candles.open_time_ms, high, low)
