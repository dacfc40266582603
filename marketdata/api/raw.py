"""Raw messages, by keyset pages."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketdata.api.queries import read_query
from marketdata.domain.raw import RawChannel
from marketdata.models import RawMessage, from_ms, to_ms
from marketdata.serializers.raw import RawPageSerializer, RawQuery

FIELDS: Final = ("id", "exchange_time", "received_at", "instrument__symbol", "payload")


class RawMessagesView(APIView):
    """Messages of one channel as the exchange sent them."""

    @extend_schema(parameters=[RawQuery], responses=RawPageSerializer)
    def get(self, request: Request) -> Response:
        """Return kept messages of one channel in order of exchange time.

        Without start these are the newest before end. With start, pass next_start as start and
        next_after_id as after_id until they are null. Balances are for staff alone.
        """
        query = read_query(request, RawQuery)
        is_private = query["channel"] == RawChannel.BALANCES
        if is_private and not getattr(request.user, "is_staff", False):
            raise PermissionDenied("balances are shown to staff alone")
        rows, is_last = _page(query)
        return Response(_answer(query, rows, is_last))


def _page(query: dict[str, Any]) -> tuple[list[Any], bool]:
    """Return a page and whether nothing follows it."""
    messages, limit = _window(query), query["limit"]
    if "start" not in query:
        newest = messages.order_by("-exchange_time", "-id").values_list(*FIELDS)[:limit]
        return list(reversed(newest)), True
    rows = list(messages.order_by("exchange_time", "id").values_list(*FIELDS)[: limit + 1])
    return rows[:limit], len(rows) <= limit


def _window(query: dict[str, Any]) -> QuerySet[RawMessage]:
    found = RawMessage.objects.filter(channel=query["channel"], exchange=query["exchange"])
    if "instrument" in query:
        found = found.filter(instrument=query["instrument"])
    if "end" in query:
        found = found.filter(exchange_time__lt=from_ms(query["end"]))
    if "start" in query:
        start = from_ms(query["start"])
        found = found.filter(exchange_time__gte=start)
        if "after_id" in query:
            found = found.filter(Q(exchange_time__gt=start) | Q(id__gt=query["after_id"]))
    return found


def _answer(query: dict[str, Any], rows: list[Any], is_last: bool) -> dict[str, Any]:
    return {
        "exchange": query["exchange"],
        "channel": query["channel"],
        "messages": [
            {
                "id": number,
                "time": to_ms(time),
                "received": to_ms(received),
                "symbol": symbol,
                "payload": payload,
            }
            for number, time, received, symbol, payload in rows
        ],
        "next_start": None if is_last else to_ms(rows[-1][1]),
        "next_after_id": None if is_last else rows[-1][0],
    }
