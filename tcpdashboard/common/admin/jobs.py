"""Jobs in Django's admin: how they are, and orders to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from tcpdashboard.common.admin.actions import each
from tcpdashboard.common.jobs.orders import cancel_job, pause_job, resume_job
from tcpdashboard.common.models import Job

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Job]
else:
    _ModelAdmin = admin.ModelAdmin


@admin.register(Job)
class JobAdmin(_ModelAdmin):
    list_display = (
        "id",
        "kind",
        "title",
        "owner",
        "desired",
        "state",
        "done",
        "total",
        "unit",
        "attempts",
        "updated_at",
        "error",
    )
    list_display_links = ("id", "title")
    list_filter = ("kind", "state", "owner")
    list_select_related = ("owner",)
    search_fields = ("title",)
    show_full_result_count = False
    actions = ("pause", "resume", "cancel")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        # The lease, the state and the progress are the worker's; what is desired is an action.
        return [field.name for field in Job._meta.fields]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # Ended ones go by themselves; one that runs must be cancelled first.
        return False

    @admin.action(description="Pause", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        each(request, queryset, pause_job, "jobs were asked to pause")

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        each(request, queryset, resume_job, "jobs were asked to go on")

    @admin.action(description="Cancel", permissions=["change"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        each(request, queryset, cancel_job, "jobs were asked to end")
