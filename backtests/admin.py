"""Backtests in the admin: to look at, to cancel and to delete; what they say is never edited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from backtests.models import Backtest
from backtests.services import delete_backtest
from tcpdashboard.common.jobs.orders import JobRefused, cancel_job

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Backtest]
else:
    _ModelAdmin = admin.ModelAdmin


@admin.register(Backtest)
class BacktestAdmin(_ModelAdmin):
    list_display = (
        "id",
        "page",
        "owner",
        "strategy",
        "instrument",
        "timeframe",
        "shown_state",
        "proof",
        "created_at",
    )
    list_filter = ("strategy", "timeframe", "proof")
    list_select_related = ("owner", "instrument", "job")
    search_fields = ("notes", "owner__username", "instrument__symbol")
    exclude = ("curve", "units")
    actions = ("cancel",)
    ordering = ("-pk",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # The actions ask for it; the form shows everything for reading.
        return obj is None and super().has_change_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Backtest]:
        return super().get_queryset(request).defer("curve", "integrity", "source")

    @admin.display(description="State")
    def shown_state(self, backtest: Backtest) -> str:
        return backtest.state

    @admin.display(description="Page")
    def page(self, backtest: Backtest) -> SafeString:
        return format_html('<a href="{}">open</a>', reverse("backtest", args=[backtest.pk]))

    def delete_model(self, request: HttpRequest, obj: Backtest) -> None:
        delete_backtest(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Backtest]) -> None:
        for backtest in queryset.select_related("job"):
            delete_backtest(backtest)

    @admin.action(description="Cancel what has not ended", permissions=("change",))
    def cancel(self, request: HttpRequest, queryset: QuerySet[Backtest]) -> None:
        cancelled = 0
        for backtest in queryset.select_related("job"):
            try:
                if backtest.job is not None:
                    cancel_job(backtest.job)
                    cancelled += 1
            except JobRefused:
                continue
        self.message_user(request, f"{cancelled} cancelled.", messages.INFO)
