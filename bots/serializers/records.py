"""What a bot decided, ordered, got and was told; its account, and what its proofs found."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from bots.models import (
    BotCommand,
    BotEvent,
    BotRun,
    Fill,
    LedgerEntry,
    Order,
    ParityReport,
    Signal,
)
from marketdata.serializers.fields import Floats, Integers, PlainDecimalField, TimeField
from marketdata.serializers.queries import MAX_ROWS, Query


class BotFillSerializer(serializers.ModelSerializer[Fill]):
    quantity = PlainDecimalField(help_text="Units of size; negative when sold.")
    price = PlainDecimalField()
    fee = PlainDecimalField()
    slippage = PlainDecimalField()
    cash = PlainDecimalField(help_text="After it.")
    position = PlainDecimalField(help_text="After it.")
    realised = PlainDecimalField(help_text="Profit of what it closed, before fees.")
    cost = PlainDecimalField(help_text="What the position after it was bought for.")

    class Meta:
        model = Fill
        fields = (
            "id",
            "run",
            "order",
            "number",
            "time",
            "decided",
            "reason",
            "quantity",
            "price",
            "fee",
            "slippage",
            "cash",
            "position",
            "realised",
            "cost",
        )
        read_only_fields = fields


class OrderSerializer(serializers.ModelSerializer[Order]):
    state = serializers.ChoiceField(choices=Order.State.choices, read_only=True)

    class Meta:
        model = Order
        fields = ("id", "run", "number", "made", "reason", "target", "state", "outcome", "ended")
        read_only_fields = fields


class SignalSerializer(serializers.ModelSerializer[Signal]):
    why = serializers.DictField(read_only=True, help_text="Values of the strategy's indicators.")
    price = PlainDecimalField(help_text="The close.")

    class Meta:
        model = Signal
        fields = (
            "id",
            "run",
            "time",
            "before",
            "target",
            "why",
            "price",
            "bid",
            "ask",
            "is_missed",
            "decided_at",
        )
        read_only_fields = fields


class LedgerSerializer(serializers.ModelSerializer[LedgerEntry]):
    amount = PlainDecimalField()

    class Meta:
        model = LedgerEntry
        fields = ("id", "run", "fill", "posting", "account", "currency", "amount", "time")
        read_only_fields = fields


class EventSerializer(serializers.ModelSerializer[BotEvent]):
    actor = serializers.CharField(source="actor.username", allow_null=True, read_only=True)
    details = serializers.DictField(read_only=True)

    class Meta:
        model = BotEvent
        fields = (
            "id",
            "run",
            "kind",
            "at",
            "time",
            "before",
            "after",
            "actor",
            "source",
            "why",
            "details",
        )
        read_only_fields = fields


class CommandSerializer(serializers.ModelSerializer[BotCommand]):
    asked_by = serializers.CharField(source="asked_by.username", allow_null=True, read_only=True)
    details = serializers.DictField(read_only=True)

    class Meta:
        model = BotCommand
        fields = (
            "id",
            "kind",
            "source",
            "asked_by",
            "asked_at",
            "why",
            "details",
            "run",
            "minute",
            "phase",
            "tick",
            "applied_at",
            "dropped_at",
        )
        read_only_fields = fields


class RunSerializer(serializers.ModelSerializer[BotRun]):
    config = serializers.CharField(read_only=True)
    symbol = serializers.CharField(source="instrument.symbol", read_only=True)
    params = serializers.DictField(read_only=True)
    trading = serializers.DictField(read_only=True)

    class Meta:
        model = BotRun
        fields = (
            "id",
            "number",
            "version",
            "config",
            "strategy",
            "params",
            "source_hash",
            "engine_version",
            "symbol",
            "timeframe",
            "trading",
            "anchor",
            "start",
            "end",
            "started_at",
            "ended_at",
            "end_reason",
        )
        read_only_fields = fields


class ParitySerializer(serializers.ModelSerializer[ParityReport]):
    known_divergence = serializers.DictField(allow_null=True, read_only=True)
    repaired_divergence = serializers.DictField(allow_null=True, read_only=True)
    details = serializers.DictField(read_only=True)

    class Meta:
        model = ParityReport
        fields = (
            "id",
            "run",
            "made_at",
            "reason",
            "until",
            "minutes",
            "fills",
            "known",
            "known_divergence",
            "repaired",
            "repaired_divergence",
            "details",
        )
        read_only_fields = fields


class PageQuery(Query):
    cursor = serializers.CharField(required=False, help_text="From next or previous of a page.")
    page_size = serializers.IntegerField(min_value=1, max_value=500, required=False)


class CurveQuery(Query):
    start = TimeField(required=False)
    end = TimeField(required=False, help_text="Not included.")
    max_points = serializers.IntegerField(
        min_value=10, max_value=MAX_ROWS, default=1_000, help_text="Extremes are kept."
    )


class CurveSerializer(serializers.Serializer[Any]):
    """Close times and what the account was worth then, as columns; quote currency."""

    time = Integers()
    equity = Floats()
    drawdown = Floats(help_text="Share below the highest equity so far.")


class RoundTripSerializer(serializers.Serializer[Any]):
    """From flat to flat; the last one may still be open, without an end and a profit."""

    entry = serializers.DateTimeField()
    exit = serializers.DateTimeField(allow_null=True)
    side = serializers.ChoiceField(choices=("long", "short"))
    quantity = PlainDecimalField()
    entry_price = PlainDecimalField()
    exit_price = PlainDecimalField(allow_null=True)
    fees = PlainDecimalField()
    profit = PlainDecimalField(allow_null=True, help_text="After fees.")
    fills = serializers.IntegerField()
    reason = serializers.CharField(help_text="Of its last fill.")
