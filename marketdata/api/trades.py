"""The tape, in columns, by keyset pages."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketdata.api.queries import read_query
from marketdata.domain.records import Side
from marketdata.models import Instrument, Trade, from_ms, to_ms
from marketdata.serializers.answers import TradesSerializer
from marketdata.serializers.queries import TradesQuery

FIELDS: Final = ("trade_id", "executed_at", "price", "size", "side", "count")

Row: TypeAlias = tuple[Any, ...]


class TradesView(APIView):
    """Trades of one instrument."""

    @extend_schema(parameters=[TradesQuery], responses=TradesSerializer)
    def get(self, request: Request) -> Response:
        """Return trades of one instrument in order of time and id.

        Without start these are the newest before end. With start, pass next_start as start and
        next_after_id as after_id until they are null.
        """
        query = read_query(request, TradesQuery)
        rows, is_last = _page(query)
        return Response(_answer(query["instrument"], rows, is_last))


def _page(query: dict[str, Any]) -> tuple[list[Row], bool]:
    """Return a page and whether nothing follows it."""
    trades, limit = _window(query), query["limit"]
    if "start" not in query:
        newest = trades.order_by("-executed_at", "-trade_id").values_list(*FIELDS)[:limit]
        return list(reversed(newest)), True
    rows = list(trades.order_by("executed_at", "trade_id").values_list(*FIELDS)[: limit + 1])
    return rows[:limit], len(rows) <= limit


def _window(query: dict[str, Any]) -> QuerySet[Trade]:
    trades = Trade.objects.filter(instrument=query["instrument"])
    if "end" in query:
        trades = trades.filter(executed_at__lt=from_ms(query["end"]))
    if "start" in query:
        start = from_ms(query["start"])
        trades = trades.filter(executed_at__gte=start)
        if "after_id" in query:
            trades = trades.filter(Q(executed_at__gt=start) | Q(trade_id__gt=query["after_id"]))
    return trades


def _answer(instrument: Instrument, rows: list[Row], is_last: bool) -> dict[str, Any]:
    ids, times, prices, sizes, sides, counts = zip(*rows, strict=True) if rows else ((),) * 6
    return {
        "exchange": instrument.exchange,
        "symbol": instrument.symbol,
        "trade_id": ids,
        "time": [to_ms(time) for time in times],
        "price": prices,
        "size": sizes,
        "side": [Side(side).name.lower() for side in sides],
        "count": counts,
        "next_start": None if is_last else to_ms(times[-1]),
        "next_after_id": None if is_last else ids[-1],
    }
