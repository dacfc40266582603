"""Backfills: which run, and asking for one. Jobs' own endpoints pause, resume and cancel them."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from marketdata.api.queries import read_query
from marketdata.backfills import BACKFILL, BackfillRequest, InvalidBackfill, request_backfill
from marketdata.loading.plans import Order
from marketdata.models import Instrument
from marketdata.serializers.backfills import BackfillSerializer, BackfillsQuery
from tcpdashboard.common.jobs.api import JobSerializer, NewestFirst
from tcpdashboard.common.models import Job
from tcpdashboard.common.rights import only_who_may_change


class BackfillViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Job]
):
    """Jobs of kind backfill, everybody's: what they load is everybody's too."""

    serializer_class = JobSerializer
    pagination_class = NewestFirst
    queryset = Job.objects.filter(kind=BACKFILL.name).select_related("owner")
    lookup_value_regex = r"\d{1,18}"

    def get_permissions(self) -> list[Any]:
        is_asked = self.action == "create"
        return [only_who_may_change(Instrument)() if is_asked else IsAuthenticated()]

    @extend_schema(parameters=[BackfillsQuery])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List backfills, newest first."""
        return super().list(request, *args, **kwargs)

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.action != "list":
            return queryset
        query = read_query(self.request, BackfillsQuery)
        fields = {"exchange": "parameters__exchange", "symbol": "parameters__symbol"}
        wanted = {
            fields.get(name, name): query[name] for name in (*fields, "state") if query.get(name)
        }
        return queryset.filter(**wanted)

    @extend_schema(request=BackfillSerializer, responses={201: JobSerializer})
    def create(self, request: Request) -> Response:
        """Load what is missing of a stretch of history; staff only."""
        serializer = BackfillSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        asked, user = serializer.validated_data, cast("User", request.user)
        try:
            job = request_backfill(
                BackfillRequest(
                    exchange=asked["exchange"],
                    symbol=asked["symbol"],
                    start_ms=asked["start"],
                    end_ms=asked.get("end"),
                    trades=asked["trades"],
                    order=Order(asked["order"]),
                ),
                owner=user,
            )
        except InvalidBackfill as error:
            raise ValidationError(
                {field: [reason] for field, reason in error.errors.items()}
            ) from error
        return Response(self.get_serializer(job).data, status=status.HTTP_201_CREATED)
