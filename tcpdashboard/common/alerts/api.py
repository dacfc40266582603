"""REST of alerts: what is wrong, and saying that one has seen it."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tcpdashboard.common.alerts import acknowledge, acknowledge_all
from tcpdashboard.common.alerts.telling import alert_counts
from tcpdashboard.common.jobs.api import NewestFirst
from tcpdashboard.common.models import Alert
from tcpdashboard.common.models.alerts import ALERT_STATES
from tcpdashboard.common.rights import may_change, only_who_may_change


class AlertSerializer(serializers.ModelSerializer[Alert]):
    acknowledged_by = serializers.CharField(
        source="acknowledged_by.username", allow_null=True, read_only=True
    )

    class Meta:
        model = Alert
        fields = (
            "id",
            "kind",
            "subject",
            "severity",
            "message",
            "details",
            "count",
            "first_at",
            "last_at",
            "resolved_at",
            "acknowledged_at",
            "acknowledged_by",
        )
        read_only_fields = fields


filters = extend_schema(
    parameters=[
        OpenApiParameter("state", str, enum=ALERT_STATES, description="All without it."),
        OpenApiParameter("kind", str, description="Such as feed_stale."),
    ]
)
may_acknowledge = only_who_may_change(Alert)


class MayAcknowledge(BasePermission):
    """Whose alert it is, and staff who may change alerts."""

    def has_object_permission(self, request: Request, view: APIView, obj: Alert) -> bool:
        return obj.owner_id == request.user.pk or may_change(request.user, Alert)


class AlertViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Alert]
):
    """Troubles, each once until it is over; the topic `alerts` tells when they change."""

    serializer_class = AlertSerializer
    pagination_class = NewestFirst
    queryset = Alert.objects.select_related("acknowledged_by")
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[Alert]:
        return self.queryset.visible_to(self.request.user)

    @filters
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List alerts, newest first."""
        return super().list(request, *args, **kwargs)

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.action != "list":
            return queryset
        query = self.request.query_params
        if kind := query.get("kind"):
            queryset = queryset.filter(kind=kind)
        state = query.get("state")
        if state and state not in ALERT_STATES:
            known = ", ".join(ALERT_STATES)
            raise ValidationError({"state": [f"expected one of {known}; was {state!r}"]})
        return queryset & Alert.objects.in_state(state) if state else queryset

    @extend_schema(request=None, responses=AlertSerializer)
    @action(detail=True, methods=["post"], permission_classes=[IsAuthenticated, MayAcknowledge])
    def acknowledge(self, request: Request, pk: str) -> Response:
        """Say that one has seen the alert: staff, or whose it is. The first person stays."""
        alert = self.get_object()
        acknowledge(alert, cast("User", request.user))
        return Response(self.get_serializer(alert).data)

    @extend_schema(
        responses=inline_serializer(
            "AlertCounts",
            {"open": serializers.IntegerField(), "unseen": serializers.IntegerField()},
        )
    )
    @action(detail=False, pagination_class=None)
    def counts(self, request: Request) -> Response:
        """Return how many alerts one may see are open, and not acknowledged by anybody."""
        return Response(alert_counts(request.user))

    @extend_schema(
        operation_id="alerts_acknowledge_all",
        request=None,
        parameters=[OpenApiParameter("kind", str, description="Those of one kind only.")],
        responses=inline_serializer(
            "Acknowledged", {"acknowledged": serializers.IntegerField(help_text="How many.")}
        ),
    )
    @action(
        detail=False, methods=["post"], url_path="acknowledge", permission_classes=[may_acknowledge]
    )
    def acknowledge_all(self, request: Request) -> Response:
        """Say that one has seen every open alert; staff only."""
        kind = request.query_params.get("kind", "")
        return Response({"acknowledged": acknowledge_all(cast("User", request.user), kind)})
