"""The collectors: how they are, and starting, stopping and restarting them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import services
from marketdata.api.conflicts import refusals_as_conflicts
from marketdata.models import Collector
from marketdata.serializers.answers import CollectorDetailSerializer, CollectorSerializer
from tcpdashboard.common.rights import only_who_may_change

changes = extend_schema(request=None, responses=CollectorSerializer)


class CollectorViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Collector]
):
    """Collectors by name; a change takes effect within the lease's renewal, about 3 s."""

    serializer_class = CollectorSerializer
    pagination_class = None
    lookup_field = "name"
    lookup_value_regex = r"[\w.-]+"
    # What a list does not show may be large.
    queryset = Collector.objects.prefetch_related("instruments").defer("channels")

    @extend_schema(responses=CollectorDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Show one collector with its channels and restarts."""
        return Response(CollectorDetailSerializer(self.get_object()).data)

    @changes
    @action(detail=True, methods=["post"], permission_classes=[only_who_may_change(Collector)])
    def start(self, request: Request, name: str) -> Response:
        """Run the collector from now on; staff only."""
        return self._change(services.request_start)

    @changes
    @action(detail=True, methods=["post"], permission_classes=[only_who_may_change(Collector)])
    def stop(self, request: Request, name: str) -> Response:
        """Let the collector drain and end; staff only."""
        return self._change(services.request_stop)

    @changes
    @action(detail=True, methods=["post"], permission_classes=[only_who_may_change(Collector)])
    def restart(self, request: Request, name: str) -> Response:
        """Let the collector drain and start anew, even a stopped one; staff only."""
        return self._change(services.request_restart)

    def _change(self, change: Callable[[Collector], None]) -> Response:
        collector = self.get_object()
        with refusals_as_conflicts():
            change(collector)
        return Response(self.get_serializer(collector).data)
