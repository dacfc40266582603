"""Configurations: one's own to change, everybody's to look at, others' not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from marketdata.api.queries import read_query
from strategies import services
from strategies.loading import Draft, InvalidConfig, checked
from strategies.models import ConfigQuerySet, StrategyConfig
from strategies.serializers import (
    ChangeSerializer,
    ConfigSerializer,
    ConfigsQuery,
    DraftSerializer,
)
from tcpdashboard.common.jobs.api import JobSerializer, NewestFirst


class ByName(CursorPagination):
    """Keyset pages; counting all rows is never needed."""

    ordering = ("name", "id")
    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 500


class ConfigViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[StrategyConfig]
):
    """Configurations of strategies, in versions."""

    serializer_class = ConfigSerializer
    pagination_class = ByName
    queryset = StrategyConfig.objects.select_related("owner")
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> ConfigQuerySet:
        return self.queryset.visible_to(self.request.user)

    @extend_schema(parameters=[ConfigsQuery])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the newest version of each configuration, by name."""
        return super().list(request, *args, **kwargs)

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.action != "list":
            return queryset
        strategy = read_query(self.request, ConfigsQuery).get("strategy")
        newest = cast("Any", queryset).newest()
        return cast("QuerySet[Any]", newest.filter(strategy=strategy) if strategy else newest)

    @extend_schema(request=DraftSerializer, responses={201: ConfigSerializer})
    def create(self, request: Request) -> Response:
        """Save a new configuration of one's own."""
        draft = _draft(DraftSerializer(data=request.data), {})
        with _by_field():
            made = services.create_config(cast("User", request.user), draft)
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ChangeSerializer, responses=ConfigSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a configuration; one that was used keeps its version, and the next is made."""
        config = self._own()
        stored = {name: getattr(config, name) for name in ("name", "strategy", "timeframe")}
        stored["params"] = config.params
        draft = _draft(ChangeSerializer(data=request.data), stored)
        return Response(self.get_serializer(services.save_config(config.owner, draft)).data)

    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a configuration with all versions; used ones stay for what ran with them."""
        services.delete_config(self._own())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(operation_id="strategy_configs_versions_list", filters=False)
    @action(detail=True, pagination_class=NewestFirst)
    def versions(self, request: Request, pk: str) -> Response:
        """List all versions of a configuration."""
        config = self.get_object()
        versions = self.get_queryset().versions_of(config.owner, config.name)
        page = self.paginate_queryset(versions)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(request=None, responses={202: JobSerializer})
    @action(detail=True, methods=["post"])
    def check(self, request: Request, pk: str) -> Response:
        """Prove that it looks neither ahead nor too short back; a job, followed by its topic."""
        job = services.request_check(self.get_object(), cast("User", request.user))
        return Response(JobSerializer(job).data, status=status.HTTP_202_ACCEPTED)

    def _own(self) -> StrategyConfig:
        config = self.get_object()
        if config.owner != self.request.user:
            raise PermissionDenied("it is everybody's: save one of your own")
        return config


def _draft(serializer: Serializer[Any], stored: Mapping[str, Any]) -> Draft:
    """Return the checked configuration; raises ValidationError by field."""
    given = dict(serializer.initial_data) if isinstance(serializer.initial_data, dict) else {}
    serializer.is_valid(raise_exception=True)
    unknown = {name: value for name, value in given.items() if name not in serializer.fields}
    with _by_field():
        return checked({**stored, **serializer.validated_data, **unknown})


@contextmanager
def _by_field() -> Iterator[None]:
    try:
        yield
    except InvalidConfig as error:
        raise ValidationError(
            {field: [reason] for field, reason in error.errors.items()}
        ) from error
