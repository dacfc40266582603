"""A bot with its figures, and what one is made and ordered by."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from bots.models import Bot, ParityReport
from marketdata.domain.timeframe import Timeframe
from marketdata.serializers.fields import PlainDecimalField
from marketdata.serializers.queries import Query

_TIMEFRAMES = [one.value for one in Timeframe]


class FiguresSerializer(serializers.Serializer[Any]):
    """The account at the last minute the bot has done; decimals as text, in quote currency."""

    capital = PlainDecimalField(help_text="What was put in.")
    equity = PlainDecimalField()
    cash = PlainDecimalField()
    position = PlainDecimalField(help_text="Units of size; negative when short.")
    entry = PlainDecimalField(allow_null=True, help_text="Average price of the position.")
    price = PlainDecimalField(allow_null=True, help_text="The close it was marked at.")
    unrealised = PlainDecimalField()
    today = PlainDecimalField(help_text="Profit since 00:00 UTC.")
    total = PlainDecimalField(help_text="Profit since the beginning.")
    total_share = serializers.FloatField()
    drawdown = serializers.FloatField(help_text="Share below the highest equity.")
    fees = PlainDecimalField()


class ParityBadgeSerializer(serializers.Serializer[Any]):
    known = serializers.ChoiceField(
        choices=ParityReport.Verdict.choices, help_text="Over what the bot saw: is the code right?"
    )
    repaired = serializers.ChoiceField(
        choices=ParityReport.Verdict.choices, help_text="Over candles by now: what the data cost."
    )


class BotSerializer(serializers.Serializer[Any]):
    """A bot. `source` is a row with its figures."""

    id = serializers.IntegerField(source="bot.pk")
    owner = serializers.CharField(source="bot.owner.username")
    name = serializers.CharField(source="bot.name")
    notes = serializers.CharField(source="bot.notes")
    state = serializers.ChoiceField(source="bot.state", choices=Bot.State.choices)
    desired = serializers.ChoiceField(source="bot.desired", choices=Bot.Desired.choices)
    trouble = serializers.CharField(source="bot.trouble", help_text="Such as feed_stale; or none.")
    exchange = serializers.CharField(source="bot.instrument.exchange")
    symbol = serializers.CharField(source="bot.instrument.symbol")
    quote = serializers.CharField(source="bot.instrument.quote")
    timeframe = serializers.ChoiceField(source="bot.timeframe", choices=_TIMEFRAMES)
    config = serializers.IntegerField(source="bot.config_id")
    strategy = serializers.CharField(source="bot.config.strategy")
    parameters = serializers.DictField(source="bot.config.params")
    trading = serializers.DictField(source="bot.trading")
    max_entry_age_s = serializers.IntegerField(source="bot.max_entry_age_s", allow_null=True)
    version = serializers.IntegerField(source="bot.version", help_text="Raised by every edit.")
    drive = serializers.ChoiceField(source="bot.drive", choices=Bot.Drive.choices)
    drive_from = serializers.DateTimeField(source="bot.drive_from", allow_null=True)
    drive_speed = serializers.FloatField(source="bot.drive_speed")
    run = serializers.IntegerField(source="bot.run_id", allow_null=True)
    cursor = serializers.DateTimeField(
        source="bot.cursor", allow_null=True, help_text="Open time of the minute that is next."
    )
    last_candle = serializers.DateTimeField(
        allow_null=True, help_text="Close time of the last candle it decided on."
    )
    lag_ms = serializers.IntegerField(
        allow_null=True, help_text="How long its next minute has been closed."
    )
    heartbeat_at = serializers.DateTimeField(source="bot.heartbeat_at", allow_null=True)
    last_error = serializers.CharField(source="bot.last_error")
    figures = FiguresSerializer(allow_null=True)
    parity = serializers.SerializerMethodField()
    topic = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(source="bot.created_at")

    @extend_schema_field(ParityBadgeSerializer(allow_null=True))
    def get_parity(self, row: Any) -> dict[str, str] | None:
        if row.parity is None:
            return None
        return dict(zip(("known", "repaired"), row.parity, strict=True))

    def get_topic(self, row: Any) -> str:
        return f"bot:{row.bot.owner_id}:{row.bot.pk}"


class BotsQuery(Query):
    state = serializers.ChoiceField(choices=Bot.State.choices, required=False)
    exchange = serializers.CharField(required=False)
    symbol = serializers.CharField(required=False)
    strategy = serializers.CharField(required=False)
    timeframe = serializers.ChoiceField(choices=_TIMEFRAMES, required=False)
    cursor = serializers.CharField(required=False, help_text="From next or previous of a page.")
    page_size = serializers.IntegerField(min_value=1, max_value=500, required=False)


class NewBotSerializer(serializers.Serializer[Any]):
    """A bot to be made: the fields of a file for `create_bot --config`."""

    name = serializers.CharField(max_length=64)
    exchange = serializers.CharField(required=False, help_text="This installation's without it.")
    symbol = serializers.CharField(help_text="Such as BTC-USDT.")
    config = serializers.CharField(help_text="Name of a strategy configuration one may use.")
    config_version = serializers.IntegerField(
        required=False, min_value=1, help_text="The newest without it."
    )
    timeframe = serializers.ChoiceField(
        choices=_TIMEFRAMES, required=False, help_text="That of the configuration without it."
    )
    trading = serializers.DictField(
        required=False,
        help_text="Initial balance, costs, sizing, stops and limits; defaults for those left out.",
    )
    max_entry_age_s = serializers.IntegerField(required=False, allow_null=True, min_value=1)
    notes = serializers.CharField(required=False, allow_blank=True)
    speed = serializers.FloatField(
        required=False, help_text="Stored candles instead of live ones: minutes in a minute."
    )

    def get_fields(self) -> dict[str, Any]:
        # A word that Python keeps for itself.
        begin = serializers.CharField(
            required=False, allow_null=True, help_text="Stored candles from this time on."
        )
        return {**super().get_fields(), "from": begin}


class ChangedBotSerializer(NewBotSerializer):
    """What is to be different; everything else stays. A change makes the next version."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for field in fields.values():
            field.required = False
        return fields


class NameSerializer(Query):
    name = serializers.CharField(max_length=64, required=False, help_text="Of the copy.")


class WhySerializer(Query):
    why = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=500, help_text="For the record."
    )


class StopSerializer(WhySerializer):
    keep_position = serializers.BooleanField(
        required=False, default=False, help_text="End without flattening."
    )


class BulkSerializer(WhySerializer):
    """One order to several bots."""

    order = serializers.ChoiceField(choices=("start", "stop", "pause", "resume", "flatten"))
    bots = serializers.ListField(
        child=serializers.IntegerField(min_value=1), min_length=1, max_length=500
    )


class BulkResultSerializer(serializers.Serializer[Any]):
    done = serializers.ListField(child=serializers.IntegerField())
    refused = serializers.DictField(
        child=serializers.CharField(), help_text="Why, by the number of the bot."
    )


class KillSerializer(WhySerializer):
    """The kill switch: flatten and halt everything."""

    everyone = serializers.BooleanField(
        required=False, default=False, help_text="All owners' bots: staff only."
    )


class KilledSerializer(serializers.Serializer[Any]):
    bots = serializers.IntegerField(help_text="How many were ordered to flatten and halt.")
