"""Alerts in Django's admin: to read, and to acknowledge."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from tcpdashboard.common.admin.actions import each
from tcpdashboard.common.alerts import acknowledge
from tcpdashboard.common.models import Alert

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Alert]
else:
    _ModelAdmin = admin.ModelAdmin


@admin.register(Alert)
class AlertAdmin(_ModelAdmin):
    list_display = (
        "kind",
        "subject",
        "severity",
        "message",
        "count",
        "first_at",
        "last_at",
        "resolved_at",
        "acknowledged_by",
    )
    list_filter = (("resolved_at", admin.EmptyFieldListFilter), "severity", "kind")
    list_select_related = ("acknowledged_by",)
    search_fields = ("subject", "message")
    actions = ("acknowledge",)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        # Whoever noticed the trouble writes; that one has seen it is an action.
        return [field.name for field in Alert._meta.fields]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.action(description="Acknowledge", permissions=["change"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        who = cast("User", request.user)
        each(request, queryset, lambda alert: acknowledge(alert, who), "alerts are acknowledged")
