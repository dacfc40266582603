"""Instruments: chosen for collection by action; what the exchange says of them is read only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from marketdata import services
from marketdata.admin.actions import each
from marketdata.models import Instrument
from tcpdashboard.common.rights import may_change

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Instrument]
else:
    _ModelAdmin = admin.ModelAdmin


@admin.register(Instrument)
class InstrumentAdmin(_ModelAdmin):
    list_display = (
        "symbol",
        "exchange",
        "kind",
        "is_enabled",
        "collector",
        "tick_size",
        "lot_size",
        "state",
        "history_loaded_at",
    )
    list_filter = ("exchange", "kind", "is_enabled", "state")
    list_select_related = ("collector",)
    search_fields = ("symbol", "base", "quote")
    readonly_fields = (
        "exchange",
        "symbol",
        "kind",
        "base",
        "quote",
        "tick_size",
        "lot_size",
        "min_size",
        "contract_value",
        "state",
        "listed_at",
        "is_enabled",
        # Chosen by the service that enables it.
        "collector",
        "history_loaded_at",
    )
    actions = ("enable", "disable")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may_change(request.user, Instrument)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # Its trades and candles refer to it without a constraint.
        return False

    @admin.action(description="Collect live and load the history", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Instrument]) -> None:
        done = each(request, queryset, services.enable_instrument)
        messages.success(request, f"{done} instruments are collected from now on")

    @admin.action(description="Stop collecting", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Instrument]) -> None:
        done = each(request, queryset, services.disable_instrument)
        messages.success(request, f"{done} instruments are no longer collected")
