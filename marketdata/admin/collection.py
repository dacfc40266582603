"""Collectors with what may be asked of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from marketdata import services
from marketdata.models import Collector, CollectorRestart
from tcpdashboard.common.admin.actions import each

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Collector]
    _TabularInline = admin.TabularInline[CollectorRestart, Collector]
else:
    _ModelAdmin = admin.ModelAdmin
    _TabularInline = admin.TabularInline


class RestartInline(_TabularInline):
    model = CollectorRestart
    fields = ("at", "reason", "holder", "down_since", "live_at", "down_s", "error")
    readonly_fields = fields
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[CollectorRestart]:
        # Those of a week: the page shows every row.
        return super().get_queryset(request).filter(at__gt=Now() - timedelta(days=7))


@admin.register(Collector)
class CollectorAdmin(_ModelAdmin):
    inlines = (RestartInline,)
    list_display = (
        "name",
        "exchange",
        "desired",
        "state",
        "health",
        "heartbeat_at",
        "exchange_time",
        "last_error_at",
        "last_error",
    )
    list_filter = ("exchange", "desired", "state", "health")
    actions = ("start", "stop", "restart")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        # The lease, the state and the counters are the worker's; what is desired is an action.
        return [field.name for field in Collector._meta.fields]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.action(description="Start", permissions=["change"])
    def start(self, request: HttpRequest, queryset: QuerySet[Collector]) -> None:
        each(request, queryset, services.request_start, "collectors were asked to start")

    @admin.action(description="Stop", permissions=["change"])
    def stop(self, request: HttpRequest, queryset: QuerySet[Collector]) -> None:
        each(request, queryset, services.request_stop, "collectors were asked to stop")

    @admin.action(description="Restart", permissions=["change"])
    def restart(self, request: HttpRequest, queryset: QuerySet[Collector]) -> None:
        each(request, queryset, services.request_restart, "collectors were asked to restart")
