"""Minutes of which two sources say different things."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse

from marketdata.models import CandleConflict

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
    actions = ("keep",)

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
        """Settle for the stored candle; the row comes back when either side changes."""
        kept = queryset.filter(state=CandleConflict.State.OPEN).update(
            state=CandleConflict.State.KEPT,
            settled_at=Now(),
            how=f"kept by {request.user.get_username()}"[:64],
        )
        messages.success(request, f"{kept} candles stay as they are")
