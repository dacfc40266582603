"""What REST gives and takes of strategies and configurations."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from marketdata.domain.timeframe import Timeframe
from marketdata.serializers.queries import Query
from strategies.models import StrategyConfig


class StrategySerializer(serializers.Serializer[Any]):
    """A strategy, or the reason why an own one cannot be used."""

    key = serializers.CharField()
    title = serializers.CharField()
    help = serializers.CharField()
    source = serializers.CharField(help_text="Who described it, and where.")  # type: ignore[assignment] # a serializer has one too
    is_own = serializers.BooleanField(help_text="Not a built-in one.")
    has_steps = serializers.BooleanField(help_text="Whether it goes on candle by candle.")
    parameters = serializers.ListField(
        child=serializers.DictField(), help_text="In their order, with kind, limits and help."
    )
    schema = serializers.DictField(help_text="JSON schema of the parameters.")
    error = serializers.CharField(allow_null=True, help_text="File, line and reason.")


class ProofSerializer(serializers.Serializer[Any]):
    name = serializers.ChoiceField(choices=["look_ahead", "warmup", "steps"])
    is_passed = serializers.BooleanField()
    detail = serializers.CharField()
    compared = serializers.IntegerField()


class ConfigSerializer(serializers.ModelSerializer[StrategyConfig]):
    owner = serializers.CharField(source="owner.username", allow_null=True, read_only=True)
    params = serializers.DictField(read_only=True)
    proofs = ProofSerializer(many=True, read_only=True)

    class Meta:
        model = StrategyConfig
        fields = (
            "id",
            "owner",
            "name",
            "version",
            "strategy",
            "timeframe",
            "params",
            "created_at",
            "used_at",
            "is_proven",
            "proofs",
            "proven_at",
        )
        read_only_fields = fields


class ConfigsQuery(Query):
    strategy = serializers.CharField(required=False, help_text="Only of this key.")
    cursor = serializers.CharField(required=False, help_text="From next or previous of a page.")
    page_size = serializers.IntegerField(min_value=1, max_value=500, required=False)


class DraftSerializer(serializers.Serializer[Any]):
    """A configuration. What is left out of the parameters has its default."""

    name = serializers.CharField(max_length=64)
    strategy = serializers.CharField(max_length=128, help_text="A key of /strategies/.")
    timeframe = serializers.ChoiceField(choices=[each.value for each in Timeframe])
    params = serializers.DictField(default=dict)


class ChangeSerializer(serializers.Serializer[Any]):
    """What changes of a configuration; parameters replace all earlier ones."""

    strategy = serializers.CharField(max_length=128, required=False)
    timeframe = serializers.ChoiceField(choices=[each.value for each in Timeframe], required=False)
    params = serializers.DictField(required=False)
