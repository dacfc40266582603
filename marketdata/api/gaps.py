"""Gaps: what is missing, what becomes of it, and asking for a repair."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import services
from marketdata.api.conflicts import refusals_as_conflicts
from marketdata.api.queries import read_query
from marketdata.models import DataGap, from_ms
from marketdata.serializers.gaps import GapSerializer, GapsQuery
from tcpdashboard.common.jobs.api import NewestFirst
from tcpdashboard.common.rights import only_who_may_change


class GapViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[DataGap]
):
    """Stretches of trades or candles that are missing, or were."""

    serializer_class = GapSerializer
    pagination_class = NewestFirst
    queryset = DataGap.objects.select_related("instrument")
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(parameters=[GapsQuery])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List gaps, newest first."""
        return super().list(request, *args, **kwargs)

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.action != "list":
            return queryset
        query = read_query(self.request, GapsQuery)
        fields = {"exchange": "instrument__exchange", "symbol": "instrument__symbol"}
        plain = {
            fields.get(name, name): query[name]
            for name in ("exchange", "symbol", "state", "kind")
            if name in query
        }
        if "start" in query:
            plain["end__gt"] = from_ms(query["start"])
        if "end" in query:
            plain["start__lt"] = from_ms(query["end"])
        return queryset.filter(**plain)

    @extend_schema(request=None, responses=GapSerializer)
    @action(detail=True, methods=["post"], permission_classes=[only_who_may_change(DataGap)])
    def repair(self, request: Request, pk: str) -> Response:
        """Try to repair the gap again, at once; staff only."""
        gap = self.get_object()
        with refusals_as_conflicts():
            services.repair_gap(gap)
        return Response(self.get_serializer(gap).data)
