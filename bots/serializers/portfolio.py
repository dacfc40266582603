"""All bots of an owner together, and the limits over them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from bots.models import OwnerLimits, OwnerVerdict
from bots.serializers.records import CurveSerializer
from bots.services import too_many
from marketdata.serializers.queries import Query


class PortfolioQuery(Query):
    quote = serializers.CharField(
        required=False, help_text="Currency of the accounts; the one with most bots without it."
    )


class _Totals(serializers.Serializer[Any]):
    capital = serializers.FloatField()
    equity = serializers.FloatField()
    today = serializers.FloatField()
    total = serializers.FloatField()
    fees = serializers.FloatField()
    total_share = serializers.FloatField(allow_null=True)
    bots = serializers.IntegerField()
    alive = serializers.IntegerField()


class _Exposure(serializers.Serializer[Any]):
    symbol = serializers.CharField()
    worth = serializers.FloatField(help_text="Negative when short.")
    share = serializers.FloatField(allow_null=True, help_text="Of all equity.")
    bots = serializers.IntegerField()


class _Correlation(serializers.Serializer[Any]):
    names = serializers.ListField(child=serializers.CharField())
    matrix = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField(allow_null=True)),
        help_text="Of daily returns; null below 10 common days.",
    )


class _Ranked(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    symbol = serializers.CharField()
    is_deleted = serializers.BooleanField()
    total = serializers.FloatField()
    total_share = serializers.FloatField()
    drawdown = serializers.FloatField()


class _Named(serializers.Serializer[Any]):
    name = serializers.CharField()
    profit = serializers.FloatField()


class _Week(serializers.Serializer[Any]):
    start_ms = serializers.IntegerField(help_text="Monday 00:00 UTC.")
    equity = serializers.FloatField(help_text="At its end.")
    profit = serializers.FloatField()
    share = serializers.FloatField(allow_null=True)
    best = _Named(allow_null=True)
    worst = _Named(allow_null=True)
    fills = serializers.IntegerField()
    fees = serializers.FloatField()


class PortfolioSerializer(serializers.Serializer[Any]):
    """An owner's live accounts in one currency."""

    quotes = serializers.ListField(child=serializers.CharField(), help_text="All there are.")
    quote = serializers.CharField(allow_null=True)
    totals = _Totals()
    charted = serializers.IntegerField(
        help_text="Accounts that curve, correlation and weeks are of: those that hold most."
    )
    curve = CurveSerializer()
    exposure = _Exposure(many=True)
    correlation = _Correlation()
    ranking = _Ranked(many=True, help_text="The best first.")
    weeks = _Week(many=True, help_text="The newest first.")


class LimitsSerializer(serializers.ModelSerializer[OwnerLimits]):
    """Limits over all bots of an owner; null for no limit."""

    warning = serializers.SerializerMethodField(
        help_text="Said where more bots are alive than may be: they go on; or empty."
    )

    class Meta:
        model = OwnerLimits
        fields = (
            "max_daily_loss",
            "max_drawdown",
            "max_exposure",
            "max_open_bots",
            "action",
            "changed_at",
            "warning",
        )
        read_only_fields = ("changed_at",)

    def get_warning(self, limits: OwnerLimits) -> str:
        return too_many(limits)


class VerdictSerializer(serializers.ModelSerializer[OwnerVerdict]):
    numbers = serializers.DictField(read_only=True)
    lifted_by = serializers.CharField(source="lifted_by.username", allow_null=True, read_only=True)

    class Meta:
        model = OwnerVerdict
        fields = ("id", "limit", "action", "at", "time", "numbers", "lifted_at", "lifted_by")
        read_only_fields = fields
