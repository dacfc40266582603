"""What the REST endpoints of gaps take and answer."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from marketdata.models import DataGap
from marketdata.repair.listing import gap_row
from marketdata.serializers.fields import TimeField
from marketdata.serializers.queries import Query


class GapsQuery(Query):
    exchange = serializers.CharField(required=False)
    symbol = serializers.CharField(required=False)
    kind = serializers.ChoiceField(choices=DataGap.Kind.choices, required=False)
    state = serializers.ChoiceField(choices=DataGap.State.choices, required=False)
    start = TimeField(required=False, help_text="Gaps that end after this.")
    end = TimeField(required=False, help_text="Gaps that begin before this.")
    cursor = serializers.CharField(required=False, help_text="From next or previous of a page.")
    page_size = serializers.IntegerField(min_value=1, max_value=500, required=False)


class GapSerializer(serializers.Serializer[DataGap]):
    """One gap; times are UTC milliseconds."""

    id = serializers.IntegerField()
    exchange = serializers.CharField()
    symbol = serializers.CharField()
    kind = serializers.CharField(
        help_text="trades, candles, or merged: nothing lacks but single matches."
    )
    timeframe = serializers.IntegerField(help_text="Length of the candles in minutes.")
    first_trade_id = serializers.IntegerField(
        allow_null=True, help_text="0: it is not known where the gap begins."
    )
    last_trade_id = serializers.IntegerField(allow_null=True, help_text="Included.")
    start_ms = serializers.IntegerField()
    end_ms = serializers.IntegerField()
    cause = serializers.CharField(
        help_text="restart, outage, loss, maintenance, never_collected or refused."
    )
    state = serializers.CharField(help_text="open, repairing, repaired or unrepairable.")
    reason = serializers.CharField()
    filled_with = serializers.CharField(
        help_text="trades or candles once repaired; empty when it filled by itself."
    )
    attempts = serializers.IntegerField()
    next_attempt_ms = serializers.IntegerField()
    opened_ms = serializers.IntegerField()
    closed_ms = serializers.IntegerField(allow_null=True)

    def to_representation(self, instance: DataGap) -> dict[str, Any]:
        """Return the same row that pages are told live."""
        return gap_row(instance)
