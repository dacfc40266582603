"""Backtests and searches in the admin: to look at, cancel and delete; never to be edited."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from backtests.models import Backtest, Search, Trial
from backtests.searches import SearchRefused, at_work, cancel_search, delete_search
from backtests.services import delete_backtest
from tcpdashboard.common.jobs.orders import JobRefused, cancel_job

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


class _LookedAt(_ModelAdmin):
    """Rows that are made elsewhere and never changed here; actions may still need the right to."""

    actions = ("cancel",)
    ordering = ("-pk",)
    search_fields = ("notes", "owner__username", "instrument__symbol")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # The actions ask for it; the form shows everything for reading.
        return obj is None and super().has_change_permission(request, obj)

    @admin.display(description="State")
    def shown_state(self, row: Backtest | Search) -> str:
        return row.state

    @admin.display(description="Page")
    def page(self, row: Backtest | Search) -> SafeString:
        name = str(row._meta.model_name)
        return format_html('<a href="{}">open</a>', reverse(name, args=[row.pk]))


@admin.register(Backtest)
class BacktestAdmin(_LookedAt):
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
    exclude = ("curve", "units")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Backtest]:
        return super().get_queryset(request).defer("curve", "integrity", "source")

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


@admin.register(Search)
class SearchAdmin(_LookedAt):
    list_display = (
        "id",
        "page",
        "owner",
        "strategy",
        "instrument",
        "timeframe",
        "method",
        "shown_state",
        "done",
        "total",
        "created_at",
    )
    list_filter = ("strategy", "timeframe", "method", "validation")
    list_select_related = ("owner", "instrument")
    exclude = ("jobs",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Search]:
        return super().get_queryset(request).prefetch_related("jobs")

    def get_deleted_objects(
        self, objs: Iterable[Search], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Return what would go, counted: there may be a hundred thousand trials."""
        searches = list(objs)
        trials = Trial.objects.filter(search__in=searches).count()
        counts = {"searches": len(searches), "trials": trials}
        kept = [f"{search} is at work: cancel it first" for search in searches if at_work(search)]
        return [str(search) for search in searches], counts, set(), kept

    def delete_model(self, request: HttpRequest, obj: Search) -> None:
        try:
            delete_search(obj)
        except SearchRefused as refused:
            # It began to work after the question.
            raise PermissionDenied(str(refused)) from refused

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Search]) -> None:
        for search in queryset:
            self.delete_model(request, search)

    @admin.action(description="Cancel what has not ended", permissions=("change",))
    def cancel(self, request: HttpRequest, queryset: QuerySet[Search]) -> None:
        cancelled = 0
        for search in queryset:
            try:
                cancel_search(search)
                cancelled += 1
            except SearchRefused:
                continue
        self.message_user(request, f"{cancelled} cancelled.", messages.INFO)
