"""What the integrity endpoint takes and answers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from marketdata.domain.timeframe import Timeframe
from marketdata.models import DataGap
from marketdata.serializers.fields import TimeField
from marketdata.serializers.queries import WindowQuery


class IntegrityQuery(WindowQuery):
    timeframe = serializers.ChoiceField(
        choices=[timeframe.value for timeframe in Timeframe], default=Timeframe.M1.value
    )
    start = TimeField(
        required=False, help_text="First open time; without it that of the first stored candle."
    )
    end = TimeField(
        required=False,
        help_text=(
            "First time not wanted any more; without it the end of the last stored candle, or of "
            "the last one that should be stored of an instrument that is collected."
        ),
    )


class GapNoteSerializer(serializers.Serializer[Any]):
    """Something that is missing, or was not repaired in time."""

    kind = serializers.ChoiceField(choices=DataGap.Kind.choices)
    state = serializers.ChoiceField(choices=DataGap.State.choices)
    cause = serializers.ChoiceField(choices=DataGap.Cause.choices)
    reason = serializers.CharField(help_text="Why it is as it is.")
    start = serializers.IntegerField(help_text="UTC milliseconds.")
    end = serializers.IntegerField(help_text="UTC milliseconds.")


class LockNoteSerializer(serializers.Serializer[Any]):
    """A stretch that a person has locked: its candles do not change."""

    start = serializers.IntegerField(help_text="UTC milliseconds.")
    end = serializers.IntegerField(help_text="UTC milliseconds, not included.")


class IntegritySerializer(serializers.Serializer[Any]):
    """How whole the candles of a stretch are. A share is null where nothing could be counted."""

    exchange = serializers.CharField()
    symbol = serializers.CharField()
    timeframe = serializers.CharField()
    start = serializers.IntegerField(help_text="UTC milliseconds, included.")
    end = serializers.IntegerField(help_text="UTC milliseconds, not included.")
    expected = serializers.IntegerField(help_text="Candles that open in the stretch.")
    complete = serializers.IntegerField(
        help_text="Stored with all their minutes; the four sources below add up to them."
    )
    incomplete = serializers.IntegerField(help_text="Stored with minutes missing.")
    missing = serializers.IntegerField(help_text="Not stored at all.")
    uncollected = serializers.IntegerField(
        help_text="Those of the missing that are older than all that was ever collected or loaded."
    )
    by_trades = serializers.IntegerField(help_text="Built from trades.")
    by_exchange = serializers.IntegerField(help_text="As the exchange's history tells them.")
    by_import = serializers.IntegerField(help_text="Imported.")
    flat = serializers.IntegerField(help_text="Proven to have had no trade.")
    revised = serializers.IntegerField(
        help_text="Changed, or inserted among others, after they were closed."
    )
    verified = serializers.IntegerField(
        help_text="Built here and equal to the exchange's own, to the last digit."
    )
    differing = serializers.IntegerField(
        help_text="Built here and not equal to the exchange's own: both are kept."
    )
    complete_share = serializers.FloatField(allow_null=True, help_text="Of those expected.")
    verified_share = serializers.FloatField(
        allow_null=True, help_text="Of those built here: from trades, or flat."
    )
    flat_share = serializers.FloatField(allow_null=True, help_text="Of those expected.")
    revised_share = serializers.FloatField(allow_null=True, help_text="Of those expected.")
    fingerprint = serializers.CharField(
        help_text="SHA-256 in hexadecimal over open times, prices and volumes, day by day."
    )
    gaps = GapNoteSerializer(many=True, help_text="Those not repaired, the oldest 500.")
    locks = LockNoteSerializer(many=True)
