"""Instruments: chosen for collection by action; what the exchange says of them is read only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from marketdata import services
from marketdata.models import Instrument
from tcpdashboard.common.admin.actions import each
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
        "id_rule_suspended_at",
    )
    list_filter = ("exchange", "kind", "is_enabled", "state")
    list_select_related = ("collector",)
    search_fields = ("symbol", "base", "quote")
    actions = ("enable", "disable", "resume_id_rule")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        # The exchange says it, or an action writes it; the service chooses the collector.
        return [field.name for field in Instrument._meta.fields]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may_change(request.user, Instrument)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # Its trades and candles refer to it without a constraint.
        return False

    @admin.action(description="Collect live and load the history", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Instrument]) -> None:
        each(request, queryset, services.enable_instrument, "instruments are collected from now on")

    @admin.action(description="Stop collecting", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Instrument]) -> None:
        each(request, queryset, services.disable_instrument, "instruments are no longer collected")

    @admin.action(description="Let missing trade ids be gaps again", permissions=["change"])
    def resume_id_rule(self, request: HttpRequest, queryset: QuerySet[Instrument]) -> None:
        each(request, queryset, services.resume_id_rule, "instruments have the id rule again")
