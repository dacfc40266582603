"""Channels of alerts in Django's admin: to look at, to switch off, and what became of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from tcpdashboard.common.alerts.delivering import test_channel
from tcpdashboard.common.models import AlertChannel, AlertDelivery

if TYPE_CHECKING:
    _ChannelAdmin = admin.ModelAdmin[AlertChannel]
    _DeliveryAdmin = admin.ModelAdmin[AlertDelivery]
else:
    _ChannelAdmin = _DeliveryAdmin = admin.ModelAdmin

_CHANGEABLE = (
    "name",
    "min_severity",
    "tells_end",
    "quiet_from",
    "quiet_to",
    "time_zone",
    "is_quiet_for_critical",
    "is_enabled",
)


@admin.register(AlertChannel)
class ChannelAdmin(_ChannelAdmin):
    """They are made on the Alerts page, where what gives access is sealed."""

    list_display = ("name", "owner", "kind", "address", "min_severity", "is_enabled")
    list_filter = ("kind", "is_enabled")
    list_select_related = ("owner",)
    fields = ("owner", "kind", "address", "server", *_CHANGEABLE)
    readonly_fields = ("owner", "kind", "address", "server")
    actions = ("test",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.action(description="Send a test", permissions=["change"])
    def test(self, request: HttpRequest, queryset: QuerySet[AlertChannel]) -> None:
        for channel in queryset:
            told = test_channel(channel)
            is_sent = told.state == AlertDelivery.State.SENT
            level = messages.SUCCESS if is_sent else messages.ERROR
            self.message_user(request, f"{channel}: {told.state}, {told.response}", level)


@admin.register(AlertDelivery)
class DeliveryAdmin(_DeliveryAdmin):
    list_display = ("created_at", "channel", "alert", "event", "state", "attempts", "response")
    list_filter = ("state", "event", "channel")
    list_select_related = ("channel", "alert")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
