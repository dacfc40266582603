"""Gaps with what a person may do about them, locks on ranges, and refused batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from marketdata import services
from marketdata.admin.reading import ReadOnlyAdmin
from marketdata.models import DataGap, RangeLock, RefusedBatch
from tcpdashboard.common.admin.actions import each

if TYPE_CHECKING:
    _GapAdmin = admin.ModelAdmin[DataGap]
    _LockAdmin = admin.ModelAdmin[RangeLock]
else:
    _GapAdmin = _LockAdmin = admin.ModelAdmin


@admin.register(DataGap)
class DataGapAdmin(_GapAdmin):
    list_display = (
        "instrument",
        "kind",
        "timeframe",
        "start",
        "end",
        "first_trade_id",
        "last_trade_id",
        "cause",
        "state",
        "filled_with",
        "attempts",
        "next_attempt_at",
        "opened_at",
        "closed_at",
        "reason",
    )
    list_filter = ("state", "kind", "cause", "instrument")
    list_select_related = ("instrument",)
    ordering = ("-opened_at", "-pk")
    actions = ("try_again",)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        # The scan and the repair write; a person may ask them to.
        return [field.name for field in DataGap._meta.fields]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.action(description="Try again", permissions=["change"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[DataGap]) -> None:
        gaps = queryset.select_related("instrument")
        each(request, gaps, services.repair_gap, "gaps are tried again at once")


@admin.register(RangeLock)
class RangeLockAdmin(_LockAdmin):
    list_display = ("instrument", "start", "end", "reason", "made_by", "made_at")
    list_filter = ("instrument",)
    list_select_related = ("instrument", "made_by")
    fields = ("instrument", "start", "end", "reason")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # A lock is ended and made anew: what it covered stays told by its reason.
        return False

    def save_model(
        self, request: HttpRequest, obj: RangeLock, form: ModelForm[RangeLock], change: Any
    ) -> None:
        services.lock_range(obj, cast("Model", request.user))


@admin.register(RefusedBatch)
class RefusedBatchAdmin(ReadOnlyAdmin):
    list_display = ("instrument", "refused_at", "error")
    list_filter = ("instrument",)
    list_select_related = ("instrument",)
