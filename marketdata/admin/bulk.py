"""Candles, trades and revisions."""

from __future__ import annotations

from django.contrib import admin

from marketdata.admin.reading import BulkAdmin
from marketdata.models import CandleRow, RevisionRow, TradeRow


@admin.register(CandleRow)
class CandleAdmin(BulkAdmin):
    list_display = (
        "open_time",
        "instrument",
        "timeframe",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "minutes",
        "source",
        "revision",
    )
    list_filter = ("instrument", "timeframe")
    time_field = "open_time"
    key_fields = ("instrument_id", "timeframe", "open_time")


@admin.register(TradeRow)
class TradeAdmin(BulkAdmin):
    list_display = ("executed_at", "instrument", "trade_id", "side", "price", "size", "count")
    list_filter = ("instrument",)
    time_field = "executed_at"
    key_fields = ("instrument_id", "executed_at", "trade_id")


@admin.register(RevisionRow)
class RevisionAdmin(BulkAdmin):
    list_display = (
        "open_time",
        "instrument",
        "timeframe",
        "revision",
        "reason",
        "recorded_at",
        *("open", "high", "low", "close", "volume"),
        *("new_open", "new_high", "new_low", "new_close", "new_volume"),
    )
    list_filter = ("instrument", "timeframe")
    time_field = "open_time"
    key_fields = ("instrument_id", "timeframe", "open_time", "revision")
