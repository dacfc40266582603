"""Lists of backtests and of searches, narrowed by the same words."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import QuerySet
from rest_framework.request import Request

from backtests.serializers import RunsQuery
from marketdata.api.queries import read_query

_COLUMNS: Final = {
    "strategy": "strategy",
    "exchange": "instrument__exchange",
    "symbol": "instrument__symbol",
    "timeframe": "timeframe",
    "tag": "tags__contains",
}


def narrowed(queryset: QuerySet[Any], request: Request) -> QuerySet[Any]:
    """Return the rows that the query of an address asks for."""
    query = read_query(request, RunsQuery)
    wanted = {column: query[name] for name, column in _COLUMNS.items() if query.get(name)}
    return queryset.filter(**wanted)
