"""REST of jobs: one's own, or everybody's for staff; pausing, resuming and cancelling them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from tcpdashboard.common.jobs.orders import JobRefused, cancel_job, pause_job, resume_job
from tcpdashboard.common.models import Job
from tcpdashboard.common.rights import refuse_others


class JobSerializer(serializers.ModelSerializer[Job]):
    owner = serializers.CharField(source="owner.username", allow_null=True, read_only=True)
    topic = serializers.CharField(read_only=True, help_text="Follow it on /ws/stream/.")

    class Meta:
        model = Job
        fields = (
            "id",
            "kind",
            "title",
            "owner",
            "parameters",
            "desired",
            "state",
            "done",
            "total",
            "unit",
            "message",
            "result",
            "error",
            "attempts",
            "created_at",
            "started_at",
            "updated_at",
            "finished_at",
            "topic",
        )
        read_only_fields = fields


class NewestFirst(CursorPagination):
    """Keyset pages; counting all rows is never needed."""

    ordering = ("-id",)
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500


class JobConflict(APIException):
    """The detail says why the job cannot do what was asked."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


changes = extend_schema(request=None, responses=JobSerializer)
filters = extend_schema(
    parameters=[
        OpenApiParameter("kind", str, description="Such as backfill."),
        OpenApiParameter("state", str, enum=Job.State.values),
    ]
)


class JobViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Job]):
    """Long work; an order reaches the worker within its lease's renewal, about 4 s."""

    serializer_class = JobSerializer
    pagination_class = NewestFirst
    queryset = Job.objects.select_related("owner")
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[Job]:
        return self.queryset.visible_to(self.request.user)

    @filters
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List jobs, newest first: one's own; staff see all."""
        return super().list(request, *args, **kwargs)

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.action != "list":
            return queryset
        query = self.request.query_params
        if (state := query.get("state")) and state not in Job.State.values:
            known = ", ".join(Job.State.values)
            raise ValidationError({"state": [f"expected one of {known}; was {state!r}"]})
        wanted = {name: query[name] for name in ("kind", "state") if query.get(name)}
        return queryset.filter(**wanted)

    @changes
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Let the job stop at its next step; resume goes on from there."""
        return self._change(pause_job)

    @changes
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Let a paused or failed job go on from where it was."""
        return self._change(resume_job)

    @changes
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Let the job stop for good; what it stored stays."""
        return self._change(cancel_job)

    def _change(self, order: Callable[[Job], None]) -> Response:
        job = self.get_object()
        refuse_others(self.request.user, job)
        try:
            order(job)
        except JobRefused as refused:
            raise JobConflict(str(refused)) from refused
        return Response(self.get_serializer(job).data)
