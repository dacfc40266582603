"""What is asked of raw messages, and what is answered."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers

from marketdata.domain.raw import RawChannel
from marketdata.models import Instrument
from marketdata.serializers.fields import TimeField
from marketdata.serializers.queries import Query

MAX_MESSAGES: Final = 1_000


class RawQuery(Query):
    """A channel of one exchange, perhaps of one instrument, and a stretch of time."""

    channel = serializers.ChoiceField(choices=[channel.value for channel in RawChannel])
    exchange = serializers.CharField(help_text="okx or okx-sim")
    symbol = serializers.CharField(required=False, help_text="Such as BTC-USDT; all without it.")
    start = TimeField(required=False, help_text="First exchange time; without it the newest.")
    end = TimeField(required=False, help_text="First time that is not wanted any more.")
    after_id = serializers.IntegerField(
        min_value=0, required=False, help_text="With start: only messages after (start, after_id)."
    )
    limit = serializers.IntegerField(
        min_value=1, max_value=MAX_MESSAGES, default=100, help_text="Messages of a page."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "after_id" in attrs and "start" not in attrs:
            raise serializers.ValidationError({"after_id": ["needs start"]})
        if "start" in attrs and attrs.get("end", attrs["start"] + 1) <= attrs["start"]:
            raise serializers.ValidationError({"end": ["expected a time after start"]})
        if "symbol" in attrs:
            try:
                attrs["instrument"] = Instrument.objects.named(attrs["exchange"], attrs["symbol"])
            except Instrument.DoesNotExist as error:
                raise serializers.ValidationError(
                    {"symbol": [f"{error}; /api/v1/instruments/ lists them"]}
                ) from None
        return attrs


class RawMessageSerializer(serializers.Serializer[Any]):
    """One message; times are UTC milliseconds."""

    id = serializers.IntegerField()
    time = serializers.IntegerField(help_text="The exchange's time.")
    received = serializers.IntegerField(help_text="When it came here.")
    symbol = serializers.CharField(allow_null=True, help_text="null: about no instrument.")
    payload = serializers.JSONField(help_text="As the exchange wrote it.")


class RawPageSerializer(serializers.Serializer[Any]):
    """Messages in order of exchange time."""

    exchange = serializers.CharField()
    channel = serializers.CharField()
    messages = RawMessageSerializer(many=True)
    next_start = serializers.IntegerField(
        allow_null=True, help_text="start of the next page; null after the last one."
    )
    next_after_id = serializers.IntegerField(allow_null=True)
