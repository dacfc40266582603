"""What the REST endpoints of market data answer."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketdata.models import Collector, CollectorRestart, Instrument
from marketdata.serializers.fields import Floats, Integers, PlainDecimalField


class CandlesSerializer(serializers.Serializer[Any]):
    """Closed candles, one list for each column; equal positions belong together."""

    exchange = serializers.CharField()
    symbol = serializers.CharField()
    timeframe = serializers.CharField(help_text="The timeframe chosen, when auto was asked for.")
    open_time = Integers(help_text="UTC milliseconds.")
    close_time = Integers(help_text="First millisecond after the candle.")
    open = Floats()
    high = Floats()
    low = Floats()
    close = Floats()
    volume = Floats(help_text="Base currency.")
    quote_volume = Floats()
    trade_count = serializers.ListField(
        child=serializers.IntegerField(allow_null=True), help_text="null: unknown."
    )
    complete = serializers.ListField(
        child=serializers.BooleanField(), help_text="Whether all its minutes are present."
    )
    source = serializers.ListField(  # type: ignore[assignment]
        child=serializers.CharField(), help_text="trades, exchange, imported or flat."
    )
    revision = Integers(help_text="How often the closed candle was changed.")
    next_start = serializers.IntegerField(
        allow_null=True, help_text="start of the next page; null after the last one."
    )


class TradesSerializer(serializers.Serializer[Any]):
    """Trades in the order of the tape, one list for each column."""

    exchange = serializers.CharField()
    symbol = serializers.CharField()
    trade_id = Integers(help_text="The last of count merged matches.")
    time = Integers(help_text="UTC milliseconds, by the exchange.")
    price = Floats()
    size = Floats(help_text="Base currency for spot, contracts for swaps.")
    side = serializers.ListField(child=serializers.CharField(), help_text="The taker's.")
    count = Integers()
    next_start = serializers.IntegerField(allow_null=True)
    next_after_id = serializers.IntegerField(allow_null=True)


class InstrumentSerializer(serializers.ModelSerializer[Instrument]):
    tick_size = PlainDecimalField(read_only=True)
    lot_size = PlainDecimalField(read_only=True)
    min_size = PlainDecimalField(read_only=True)
    contract_value = PlainDecimalField(read_only=True)
    collector = serializers.CharField(source="collector.name", allow_null=True, read_only=True)

    class Meta:
        model = Instrument
        fields = (
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
            "history_loaded_at",
            "collector",
        )
        read_only_fields = fields


class RestartSerializer(serializers.ModelSerializer[CollectorRestart]):
    down_s = serializers.FloatField(
        allow_null=True, read_only=True, help_text="Seconds without collection; null: unknown yet."
    )

    class Meta:
        model = CollectorRestart
        fields = ("at", "reason", "error", "holder", "down_since", "live_at", "down_s")
        read_only_fields = fields


class CollectorSerializer(serializers.ModelSerializer[Collector]):
    symbols = serializers.SerializerMethodField()

    class Meta:
        model = Collector
        fields: tuple[str, ...] = (
            "name",
            "exchange",
            "desired",
            "state",
            "health",
            "symbols",
            "started_at",
            "heartbeat_at",
            "exchange_time",
            "counters",
            "last_error",
            "last_error_at",
        )
        read_only_fields: tuple[str, ...] = fields

    def get_symbols(self, collector: Collector) -> list[str]:
        return [row.symbol for row in collector.instruments.all() if row.is_enabled]


class CollectorDetailSerializer(CollectorSerializer):
    """One collector, with the state of each channel and its newest restarts."""

    channels = serializers.JSONField(
        read_only=True,
        help_text="By symbol: event_ms, the exchange's time of its newest event, and channels by "
        "name: state (connecting, live, silent, stale, repairing or failed), feed, age_s.",
    )
    restarts = serializers.SerializerMethodField(help_text="The newest 20.")

    class Meta(CollectorSerializer.Meta):
        fields: tuple[str, ...] = (*CollectorSerializer.Meta.fields, "channels", "restarts")
        read_only_fields: tuple[str, ...] = fields

    @extend_schema_field(RestartSerializer(many=True))
    def get_restarts(self, collector: Collector) -> Any:
        return RestartSerializer(collector.restarts.all()[:20], many=True).data
