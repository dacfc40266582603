"""What a bot has done, a page at a time, as columns, and as files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from bots.api.exports import export
from bots.api.rows import allow, conflicts
from bots.domain.trips import round_trips
from bots.models import Bot, ParityReport
from bots.models.curves import read_curve
from bots.models.figures import newest_fills
from bots.serializers.records import (
    BotFillSerializer,
    CommandSerializer,
    CurveQuery,
    CurveSerializer,
    EventSerializer,
    LedgerSerializer,
    OrderSerializer,
    PageQuery,
    ParitySerializer,
    RoundTripSerializer,
    RunSerializer,
    SignalSerializer,
)
from bots.services.parity import request_parity
from marketdata.api.queries import read_query
from marketdata.models import from_ms
from tcpdashboard.common.jobs.api import JobSerializer, NewestFirst

_MOST_TRIP_FILLS: Final = 2_000
_View = TypeVar("_View", bound=Callable[..., Response])


def _listed(serializer: type[BaseSerializer[Any]]) -> Callable[[_View], _View]:
    described: Callable[[_View], _View] = extend_schema(
        parameters=[PageQuery], responses=serializer(many=True), filters=False
    )
    return described


class Records(viewsets.GenericViewSet[Bot]):
    """The lists of one bot, newest first."""

    @_listed(BotFillSerializer)
    @action(detail=True, pagination_class=NewestFirst)
    def fills(self, request: Request, pk: str) -> Response:
        """List its fills."""
        return self._page(self.get_object().fills.order_by(), BotFillSerializer)

    @_listed(OrderSerializer)
    @action(detail=True, pagination_class=NewestFirst)
    def orders(self, request: Request, pk: str) -> Response:
        """List what the kernel was asked to fill, and what became of it."""
        return self._page(self.get_object().orders.order_by(), OrderSerializer)

    @_listed(SignalSerializer)
    @action(detail=True, pagination_class=NewestFirst)
    def signals(self, request: Request, pk: str) -> Response:
        """List its decisions, each with its why."""
        return self._page(self.get_object().signals.order_by(), SignalSerializer)

    @_listed(LedgerSerializer)
    @action(detail=True, pagination_class=NewestFirst)
    def ledger(self, request: Request, pk: str) -> Response:
        """List the entries of its account; those of one posting sum to zero in every currency."""
        return self._page(self.get_object().ledger.order_by(), LedgerSerializer)

    @_listed(EventSerializer)
    @action(detail=True, pagination_class=NewestFirst)
    def events(self, request: Request, pk: str) -> Response:
        """List what happened to it: every change of state, with who or what and why."""
        found = self.get_object().events.select_related("actor").order_by()
        return self._page(found, EventSerializer)

    @_listed(CommandSerializer)
    @action(detail=True, pagination_class=NewestFirst)
    def commands(self, request: Request, pk: str) -> Response:
        """List what was ordered from outside, and where in its run each took effect."""
        found = self.get_object().commands.select_related("asked_by").order_by()
        return self._page(found, CommandSerializer)

    @_listed(RunSerializer)
    @action(detail=True, pagination_class=NewestFirst)
    def runs(self, request: Request, pk: str) -> Response:
        """List its runs: each by one set of rules."""
        found = self.get_object().runs.select_related("config", "instrument").order_by()
        return self._page(found, RunSerializer)

    @extend_schema(responses=RoundTripSerializer(many=True), filters=False)
    @action(detail=True, url_path="round-trips", pagination_class=None)
    def round_trips(self, request: Request, pk: str) -> Response:
        """List the round trips of its newest 2,000 fills, oldest first."""
        trips = round_trips(newest_fills(self.get_object(), _MOST_TRIP_FILLS))
        return Response(RoundTripSerializer(trips, many=True).data)

    @extend_schema(parameters=[CurveQuery], responses=CurveSerializer, filters=False)
    @action(detail=True)
    def equity(self, request: Request, pk: str) -> Response:
        """Return what the account was worth at the closes of its candles, thinned."""
        bot = self.get_object()
        query = read_query(request, CurveQuery)
        span = [from_ms(query[name]) if name in query else None for name in ("start", "end")]
        curve = read_curve(bot.pk, *span)
        return Response(curve.thinned(query["max_points"]).as_json())

    @extend_schema(methods=["get"], parameters=[PageQuery], responses=ParitySerializer(many=True))
    @extend_schema(methods=["post"], request=None, responses={202: JobSerializer})
    @action(detail=True, methods=["get", "post"], pagination_class=NewestFirst, filter_backends=[])
    def parity(self, request: Request, pk: str) -> Response:
        """List the replays of its runs; POST asks for one now, by a job."""
        bot = self.get_object()
        if request.method == "POST":
            allow(request.user, bot)
            with conflicts():
                job = request_parity(bot, cast("User", request.user))
            return Response(JobSerializer(job).data, status=status.HTTP_202_ACCEPTED)
        return self._page(ParityReport.objects.filter(run__bot=bot).order_by(), ParitySerializer)

    @extend_schema(
        operation_id="bots_export",
        filters=False,
        responses={
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, "As CSV."),
            (200, "application/json"): OpenApiResponse(OpenApiTypes.ANY, "As a JSON list."),
        },
    )
    def export(self, request: Request, pk: str, kind: str, suffix: str) -> HttpResponseBase:
        """Return all fills, ledger entries or the equity of a bot as a file, oldest first."""
        return export(request, self.get_object(), kind, suffix)

    def _page(self, found: QuerySet[Any], serializer: type[BaseSerializer[Any]]) -> Response:
        read_query(self.request, PageQuery)
        page = self.paginate_queryset(cast("QuerySet[Bot]", found))
        return self.get_paginated_response(serializer(page, many=True).data)
