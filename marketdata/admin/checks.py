"""Minutes of which two sources say different things."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from marketdata import services
from marketdata.models import CandleConflict
from tcpdashboard.common.admin.actions import each

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[CandleConflict]
else:
    _ModelAdmin = admin.ModelAdmin


@admin.register(CandleConflict)
class CandleConflictAdmin(_ModelAdmin):
    list_display = (
        "instrument",
        "open_time",
        "kind",
        "state",
        "our_close",
        "their_close",
        "our_volume",
        "their_volume",
        "attempts",
        "found_at",
        "how",
    )
    list_filter = ("state", "kind", "instrument")
    list_select_related = ("instrument",)
    ordering = ("-found_at",)
    actions = ("keep", "take")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return [field.name for field in CandleConflict._meta.fields]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        # The right to change is for the action: there is nothing to save here.
        unsaved = {"show_save": False, "show_save_and_continue": False}
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **unsaved}
        )

    @admin.action(description="Leave ours as it is", permissions=["change"])
    def keep(self, request: HttpRequest, queryset: QuerySet[CandleConflict]) -> None:
        who = request.user.get_username()
        rows = queryset.select_related("instrument")
        each(request, rows, lambda row: services.keep_ours(row, who), "candles stay as they are")

    @admin.action(description="Take theirs", permissions=["change"])
    def take(self, request: HttpRequest, queryset: QuerySet[CandleConflict]) -> None:
        who = request.user.get_username()
        rows = queryset.select_related("instrument")
        each(request, rows, lambda row: services.take_theirs(row, who), "candles were replaced")
