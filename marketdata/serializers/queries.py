"""The parameters of the REST endpoints' GET requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rest_framework import serializers

from marketdata.domain.timeframe import Timeframe
from marketdata.models import Instrument
from marketdata.serializers.fields import TimeField

MAX_ROWS: Final = 10_000
AUTO: Final = "auto"


class Query(serializers.Serializer[Any]):
    """The parameters of a GET request; an unknown one is an error that lists the known."""

    def to_internal_value(self, data: Any) -> Any:
        # What is no object at all has no fields: that is said below.
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, Mapping) else []
        if unknown:
            known = ", ".join(self.fields)
            raise serializers.ValidationError(
                {name: [f"unknown parameter; expected some of {known}"] for name in unknown}
            )
        return super().to_internal_value(data)


class WindowQuery(Query):
    """An instrument and a stretch of time, start included and end not."""

    exchange = serializers.CharField(help_text="okx or okx-sim")
    symbol = serializers.CharField(help_text="Such as BTC-USDT")
    start = TimeField(
        required=False, help_text="First time; without it the newest rows before end are given."
    )
    end = TimeField(required=False, help_text="First time that is not wanted any more.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        start, end = attrs.get("start"), attrs.get("end")
        if start is not None and end is not None and end <= start:
            raise serializers.ValidationError({"end": ["expected a time after start"]})
        try:
            attrs["instrument"] = Instrument.objects.named(attrs["exchange"], attrs["symbol"])
        except Instrument.DoesNotExist as error:
            raise serializers.ValidationError(
                {"symbol": [f"{error}; /api/v1/instruments/ lists them"]}
            ) from None
        return attrs


class CandlesQuery(WindowQuery):
    timeframe = serializers.ChoiceField(
        choices=[*(timeframe.value for timeframe in Timeframe), AUTO],
        default=Timeframe.M1.value,
        help_text="auto: the finest timeframe whose candles are at most max_points.",
    )
    limit = serializers.IntegerField(
        min_value=1, max_value=MAX_ROWS, required=False, help_text="Rows of a page; 500."
    )
    max_points = serializers.IntegerField(
        min_value=10, max_value=MAX_ROWS, required=False, help_text="With auto only; 800."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        is_auto = attrs["timeframe"] == AUTO
        if is_auto and "limit" in attrs:
            raise serializers.ValidationError(
                {"limit": ["timeframe=auto answers the whole window: use max_points"]}
            )
        if not is_auto and "max_points" in attrs:
            raise serializers.ValidationError(
                {"max_points": ["only timeframe=auto thins the window: use limit"]}
            )
        return super().validate(attrs)


class TradesQuery(WindowQuery):
    after_id = serializers.IntegerField(
        min_value=0, required=False, help_text="With start: only trades after (start, after_id)."
    )
    limit = serializers.IntegerField(
        min_value=1, max_value=MAX_ROWS, default=1_000, help_text="Rows of a page."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "after_id" in attrs and "start" not in attrs:
            raise serializers.ValidationError(
                {"after_id": ["needs start: pass next_start and next_after_id of the page before"]}
            )
        return super().validate(attrs)


class InstrumentsQuery(Query):
    exchange = serializers.CharField(required=False)
    kind = serializers.ChoiceField(choices=Instrument.Kind.choices, required=False)
    is_enabled = serializers.BooleanField(required=False, allow_null=True, default=None)
    search = serializers.CharField(required=False, help_text="Part of the symbol.")
    cursor = serializers.CharField(required=False, help_text="From next or previous of a page.")
    page_size = serializers.IntegerField(min_value=1, max_value=1_000, required=False)
