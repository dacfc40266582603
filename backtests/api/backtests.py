"""Backtests: asking for one, following it, and everything that came out."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from backtests.api.files import archive_response, report_response
from backtests.api.narrowing import narrowed
from backtests.api.results import NoResult, equity, fills, fills_csv
from backtests.models import Backtest
from backtests.requests import BacktestRequest, InvalidBacktest
from backtests.serializers import (
    BacktestSerializer,
    EquityQuery,
    EquitySerializer,
    FillsQuery,
    FillsSerializer,
    NewBacktestSerializer,
    ResultSerializer,
    RunsQuery,
)
from backtests.services import request_backtest
from marketdata.api.queries import read_query
from tcpdashboard.common.jobs.api import JobConflict, NewestFirst
from tcpdashboard.common.jobs.orders import JobRefused, cancel_job
from tcpdashboard.common.rights import refuse_others


class BacktestViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Backtest]
):
    """One's own backtests; staff see all."""

    serializer_class = BacktestSerializer
    pagination_class = NewestFirst
    queryset = Backtest.objects.select_related("owner", "instrument", "job")
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[Backtest]:
        return self.queryset.visible_to(self.request.user)

    @extend_schema(parameters=[RunsQuery])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List backtests, newest first."""
        return super().list(request, *args, **kwargs)

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.action != "list":
            return queryset
        return narrowed(queryset, self.request)

    @extend_schema(request=NewBacktestSerializer, responses={201: BacktestSerializer})
    def create(self, request: Request) -> Response:
        """Run a strategy over a stretch of history; a worker does it."""
        serializer = NewBacktestSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        asked = dict(serializer.validated_data)
        told = {"tags": tuple(asked.pop("tags")), "notes": asked.pop("notes")}
        span = {"start_ms": asked.pop("start"), "end_ms": asked.pop("end")}
        try:
            user = cast("User", request.user)
            backtest = request_backtest(BacktestRequest(**asked, **span), user, **told)
        except InvalidBacktest as error:
            raise ValidationError(
                {field: [reason] for field, reason in error.errors.items()}
            ) from error
        return Response(self.get_serializer(backtest).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=BacktestSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Let it not be run, or its result not be kept."""
        backtest = self._changeable()
        if backtest.job is None:
            raise JobConflict(f"backtest {backtest.pk} is {backtest.state}: it cannot be cancelled")
        try:
            cancel_job(backtest.job)
        except JobRefused as refused:
            raise JobConflict(str(refused)) from refused
        return Response(self.get_serializer(backtest).data)

    @extend_schema(responses=ResultSerializer)
    @action(detail=True)
    def result(self, request: Request, pk: str) -> Response:
        """Return figures with their formulas, the curve, and what is known of the data."""
        backtest = self.get_object()
        if not backtest.result_hash:
            raise NoResult(f"backtest {backtest.pk} is {backtest.state}: it has no result")
        return Response(ResultSerializer(backtest, context=self.get_serializer_context()).data)

    @extend_schema(parameters=[FillsQuery], responses=FillsSerializer)
    @action(detail=True)
    def fills(self, request: Request, pk: str) -> Response:
        """Return the fills in their order, a page at a time."""
        query = read_query(request, FillsQuery)
        return Response(fills(self.get_object(), query["first"], query["limit"]))

    @extend_schema(parameters=[EquityQuery], responses=EquitySerializer)
    @action(detail=True)
    def equity(self, request: Request, pk: str) -> Response:
        """Return the equity at the close of minutes, thinned; the extremes stay."""
        query = read_query(request, EquityQuery)
        return Response(equity(self.get_object(), query["max_points"]))

    @extend_schema(
        responses={(200, "text/html"): OpenApiResponse(OpenApiTypes.STR, "One file of HTML.")}
    )
    @action(detail=True)
    def report(self, request: Request, pk: str) -> HttpResponseBase:
        """Return a report of one file that needs no network: figures, curves, months, trips."""
        return report_response(self.get_object())

    @extend_schema(
        responses={(200, "application/zip"): OpenApiResponse(OpenApiTypes.BINARY, "A zip file.")}
    )
    @action(detail=True)
    def archive(self, request: Request, pk: str) -> HttpResponseBase:
        """Return all that it takes to do it again, candles included; verify_run proves it."""
        return archive_response(self.get_object())

    @extend_schema(
        responses={(200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, "All fills as CSV.")}
    )
    @action(detail=True)
    def export(self, request: Request, pk: str) -> HttpResponseBase:
        """Return all fills as a CSV file."""
        backtest = self.get_object()
        name = f'attachment; filename="backtest-{backtest.pk}-fills.csv"'
        return StreamingHttpResponse(
            fills_csv(backtest),
            content_type="text/csv",
            headers={"Content-Disposition": name},
        )

    def _changeable(self) -> Backtest:
        backtest = self.get_object()
        refuse_others(self.request.user, backtest)
        return backtest
