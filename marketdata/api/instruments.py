"""The instruments an exchange lists, and which of them are collected."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import services
from marketdata.api.conflicts import refusals_as_conflicts
from marketdata.api.queries import read_query
from marketdata.models import Instrument
from marketdata.serializers.answers import InstrumentSerializer
from marketdata.serializers.queries import InstrumentsQuery
from tcpdashboard.common.rights import only_who_may_change


class BySymbol(CursorPagination):
    """Keyset pages; counting all rows is never needed."""

    ordering = ("symbol", "id")
    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1_000


class InstrumentViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Instrument]):
    serializer_class = InstrumentSerializer
    pagination_class = BySymbol
    queryset = Instrument.objects.select_related("collector")

    @extend_schema(parameters=[InstrumentsQuery])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List instruments by symbol."""
        return super().list(request, *args, **kwargs)

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        query = read_query(self.request, InstrumentsQuery)
        for field in ("exchange", "kind", "is_enabled"):
            if query.get(field) is not None:
                queryset = queryset.filter(**{field: query[field]})
        if query.get("search"):
            queryset = queryset.filter(symbol__icontains=query["search"])
        return queryset

    @extend_schema(operation_id="instruments_retrieve")
    @action(detail=False, url_path=r"(?P<exchange>[\w-]+)/(?P<symbol>[\w.-]+)", url_name="one")
    def one(self, request: Request, exchange: str, symbol: str) -> Response:
        """Return one instrument."""
        return self._answer(self._named(exchange, symbol))

    @extend_schema(request=None, responses=InstrumentSerializer)
    @action(
        detail=False,
        methods=["post"],
        url_path=r"(?P<exchange>[\w-]+)/(?P<symbol>[\w.-]+)/enable",
        permission_classes=[only_who_may_change(Instrument)],
    )
    def enable(self, request: Request, exchange: str, symbol: str) -> Response:
        """Collect the instrument live and load its history; staff only."""
        instrument = self._named(exchange, symbol)
        with refusals_as_conflicts():
            services.enable_instrument(instrument)
        return self._answer(instrument)

    @extend_schema(request=None, responses=InstrumentSerializer)
    @action(
        detail=False,
        methods=["post"],
        url_path=r"(?P<exchange>[\w-]+)/(?P<symbol>[\w.-]+)/disable",
        permission_classes=[only_who_may_change(Instrument)],
    )
    def disable(self, request: Request, exchange: str, symbol: str) -> Response:
        """End the live collection of the instrument; what is stored stays. Staff only."""
        instrument = self._named(exchange, symbol)
        services.disable_instrument(instrument)
        return self._answer(instrument)

    def _named(self, exchange: str, symbol: str) -> Instrument:
        return get_object_or_404(self.get_queryset(), exchange=exchange, symbol=symbol)

    def _answer(self, instrument: Instrument) -> Response:
        return Response(self.get_serializer(instrument).data)
