"""REST of searches for parameters: asked for, followed, ordered about, and read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from backtests.api.narrowing import narrowed
from backtests.models import Search
from backtests.requests import InvalidBacktest
from backtests.search_shapes import (
    ColumnsQuery,
    ColumnsSerializer,
    HeatQuery,
    HeatSerializer,
    NewSearchSerializer,
    SearchExportQuery,
    SearchSerializer,
    TrialsQuery,
    TrialsSerializer,
)
from backtests.searches import (
    SearchRefused,
    cancel_search,
    delete_search,
    pause_search,
    request_search,
    resume_search,
)
from backtests.searching.asking import SearchRequest
from backtests.serializers import RunsQuery
from backtests.storage.trials import columns, heat, ordered_trials, trials_csv, trials_json
from marketdata.api.queries import read_query
from tcpdashboard.common.jobs.api import JobConflict, NewestFirst
from tcpdashboard.common.rights import refuse_others

if TYPE_CHECKING:
    from django.contrib.auth.models import User

orders = extend_schema(request=None, responses=SearchSerializer)


class SearchViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[Search],
):
    """One's own searches; staff see all."""

    serializer_class = SearchSerializer
    pagination_class = NewestFirst
    queryset = Search.objects.select_related("owner", "instrument").prefetch_related("jobs")
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[Search]:
        return self.queryset.visible_to(self.request.user)

    @extend_schema(parameters=[RunsQuery])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List searches, newest first."""
        return super().list(request, *args, **kwargs)

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.action != "list":
            return queryset
        return narrowed(queryset, self.request)

    @extend_schema(request=NewSearchSerializer, responses={201: SearchSerializer})
    def create(self, request: Request) -> Response:
        """Search for parameters over a stretch of history; all workers of backtests share it."""
        serializer = NewSearchSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        asked = dict(serializer.validated_data)
        told = {"tags": tuple(asked.pop("tags")), "notes": asked.pop("notes")}
        span = {"start_ms": asked.pop("start"), "end_ms": asked.pop("end")}
        try:
            user = cast("User", request.user)
            search = request_search(SearchRequest(**asked, **span), user, **told)
        except InvalidBacktest as error:
            raise ValidationError(
                {field: [reason] for field, reason in error.errors.items()}
            ) from error
        return Response(self.get_serializer(search).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Forget a search that is not at work, and its trials."""
        try:
            delete_search(self._changeable())
        except SearchRefused as refused:
            raise JobConflict(str(refused)) from refused
        return Response(status=status.HTTP_204_NO_CONTENT)

    @orders
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Let it stop at the next trial; resume goes on from there."""
        return self._order(pause_search)

    @orders
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Let a paused or failed search go on from where it was."""
        return self._order(resume_search)

    @orders
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Let it stop for good; the trials that are stored stay."""
        return self._order(cancel_search)

    @extend_schema(parameters=[TrialsQuery], responses=TrialsSerializer)
    @action(detail=True)
    def trials(self, request: Request, pk: str) -> Response:
        """Return trials of a window, the best first, a page at a time."""
        query = read_query(request, TrialsQuery)
        found = ordered_trials(
            self.get_object(),
            query["window"],
            query["order"],
            is_reversed=query["reverse"],
            state=query.get("state"),
        )
        trials = found[query["first"] : query["first"] + query["limit"]]
        return Response(TrialsSerializer({"total": found.count(), "trials": trials}).data)

    @extend_schema(parameters=[HeatQuery], responses=HeatSerializer)
    @action(detail=True)
    def heat(self, request: Request, pk: str) -> Response:
        """Return a metric over two searched parameters."""
        query, search = read_query(request, HeatQuery), self.get_object()
        searched = [axis["name"] for axis in search.space]
        for side in ("x", "y"):
            if query[side] not in searched:
                known = ", ".join(searched)
                raise ValidationError({side: [f"expected a searched parameter: {known}"]})
        metric = query.get("metric", search.objective)
        sides = query["x"], query["y"]
        return Response(heat(search, query["window"], *sides, metric, query["pick"]))

    @extend_schema(parameters=[ColumnsQuery], responses=ColumnsSerializer)
    @action(detail=True)
    def columns(self, request: Request, pk: str) -> Response:
        """Return the best trials of a window as columns, for a parallel view."""
        query = read_query(request, ColumnsQuery)
        found = columns(self.get_object(), query["window"], query["metrics"], query["most"])
        return Response(found)

    @extend_schema(
        parameters=[SearchExportQuery],
        responses={(200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, "All trials.")},
    )
    @action(detail=True)
    def export(self, request: Request, pk: str) -> HttpResponseBase:
        """Return all trials as a CSV or a JSON file."""
        kind, search = read_query(request, SearchExportQuery)["kind"], self.get_object()
        told = self.get_serializer(search).data
        lines = trials_csv(search) if kind == "csv" else trials_json(search, told)
        return StreamingHttpResponse(
            lines,
            content_type="text/csv" if kind == "csv" else "application/json",
            headers={"Content-Disposition": f'attachment; filename="search-{search.pk}.{kind}"'},
        )

    def _order(self, give: Callable[[Search], Search]) -> Response:
        try:
            return Response(self.get_serializer(give(self._changeable())).data)
        except SearchRefused as refused:
            raise JobConflict(str(refused)) from refused

    def _changeable(self) -> Search:
        search = self.get_object()
        refuse_others(self.request.user, search)
        return search
