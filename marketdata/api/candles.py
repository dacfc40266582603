"""Closed candles, in columns, by keyset pages or thinned to a number of points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketdata.api.queries import read_query
from marketdata.charts.levels import Level, bin_candles, fitting_level, incomplete_times
from marketdata.domain.records import UNKNOWN, Candles, Source, empty_candles
from marketdata.domain.timeframe import Timeframe, parse_timeframe
from marketdata.models import Candle, Instrument, from_ms, to_ms
from marketdata.serializers.answers import CandlesSerializer
from marketdata.serializers.queries import AUTO, CandlesQuery
from marketdata.storage import read_candles, read_last_candles

LIMIT: Final = 500
MAX_POINTS: Final = 800

_PRICES: Final = ("open", "high", "low", "close", "volume", "quote_volume")
_SOURCES: Final = {source.value: source.name.lower() for source in Source}


@dataclass(frozen=True, slots=True)
class Page:
    """The candles of one answer, and where the next page starts."""

    level: Level
    candles: Candles
    next_start_ms: int | None = None


class CandlesView(APIView):
    """Candles of one instrument."""

    @extend_schema(parameters=[CandlesQuery], responses=CandlesSerializer)
    def get(self, request: Request) -> Response:
        """Return closed candles of one instrument.

        Without start these are the newest before end. With start, follow next_start until it is
        null. With timeframe=auto the whole window comes at once, as fine as max_points allows:
        a stored timeframe, or bins of whole days such as 7d. Its first and last candle are whole
        ones, so they may reach beyond start and end.
        """
        query = read_query(request, CandlesQuery)
        page = _thinned(query) if query["timeframe"] == AUTO else _page(query)
        return Response(_answer(query["instrument"], page))


def _page(query: dict[str, Any]) -> Page:
    instrument, timeframe = query["instrument"], parse_timeframe(query["timeframe"])
    limit, end_ms, level = query.get("limit", LIMIT), query.get("end"), Level(timeframe)
    if "start" not in query:
        return Page(level, read_last_candles(instrument, timeframe, limit, end_ms))
    first_ms = _first_from(instrument, timeframe, query["start"], end_ms)
    if first_ms is None:
        return Page(level, empty_candles())
    # A page is a stretch of time that holds at most `limit` candles; where nothing is stored
    # the next one starts after the gap.
    edge_ms = first_ms + limit * timeframe.ms
    edge_ms = edge_ms if end_ms is None else min(edge_ms, end_ms)
    candles = read_candles(instrument, timeframe, first_ms, edge_ms)
    return Page(level, candles, _first_from(instrument, timeframe, edge_ms, end_ms))


def _thinned(query: dict[str, Any]) -> Page:
    instrument = query["instrument"]
    stored = _stored_stretch(instrument)
    if stored is None:
        return Page(Level(Timeframe.M1), empty_candles())
    start_ms = max(query.get("start", 0), stored[0])
    end_ms = min(query.get("end", stored[1]), stored[1])
    level = fitting_level(start_ms, end_ms, Timeframe.M1, query.get("max_points", MAX_POINTS))
    start_ms, end_ms = level.whole(start_ms, end_ms)
    return Page(level, read_candles(instrument, level.timeframe, start_ms, end_ms))


def _first_from(
    instrument: Instrument, timeframe: Timeframe, start_ms: int, end_ms: int | None
) -> int | None:
    rows = Candle.objects.filter(
        instrument=instrument, timeframe=timeframe.minutes, open_time__gte=from_ms(start_ms)
    )
    if end_ms is not None:
        rows = rows.filter(open_time__lt=from_ms(end_ms))
    first = rows.order_by("open_time").values_list("open_time", flat=True).first()
    return None if first is None else to_ms(first)


def _stored_stretch(instrument: Instrument) -> tuple[int, int] | None:
    rows = Candle.objects.filter(instrument=instrument, timeframe=Timeframe.M1.minutes)
    times = rows.order_by("open_time").values_list("open_time", flat=True)
    first, last = times.first(), times.last()
    if first is None or last is None:
        return None
    return to_ms(first), to_ms(last) + Timeframe.M1.ms


def _answer(instrument: Instrument, page: Page) -> dict[str, Any]:
    candles, level = bin_candles(page.candles, page.level), page.level
    opens = candles["open_time_ms"]
    return {
        "exchange": instrument.exchange,
        "symbol": instrument.symbol,
        "timeframe": level.name,
        "open_time": opens.tolist(),
        "close_time": (opens + level.ms).tolist(),
        **{name: candles[name].tolist() for name in _PRICES},
        "trade_count": [
            None if count == UNKNOWN else count for count in candles["trade_count"].tolist()
        ],
        "complete": (~np.isin(opens, incomplete_times(page.candles, level))).tolist(),
        "source": [_SOURCES[source] for source in candles["source"].tolist()],
        "revision": candles["revision"].tolist(),
        "next_start": page.next_start_ms,
    }
