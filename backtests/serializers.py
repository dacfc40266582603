"""What the REST endpoints of backtests take and answer."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from backtests.domain.metrics import METRICS
from backtests.domain.metrics.others import OTHERS
from backtests.models import Backtest
from marketdata.domain.timeframe import Timeframe
from marketdata.serializers.fields import TimeField
from marketdata.serializers.queries import MAX_ROWS, Query
from strategies.models import ConfigQuerySet, StrategyConfig

MOST_TAGS: Final = 20
TIMEFRAMES: Final = [one.value for one in Timeframe]


class RunsQuery(Query):
    """Which backtests, or which searches, are listed."""

    strategy = serializers.CharField(required=False)
    exchange = serializers.CharField(required=False)
    symbol = serializers.CharField(required=False)
    timeframe = serializers.ChoiceField(choices=TIMEFRAMES, required=False)
    tag = serializers.CharField(required=False)
    cursor = serializers.CharField(required=False, help_text="From next or previous of a page.")
    page_size = serializers.IntegerField(min_value=1, max_value=500, required=False)


class NewBacktestSerializer(Query):
    """A strategy over a stretch of history, start included and end not.

    Strategy, parameters and timeframe are given, or `config` in place of all three.
    """

    config = serializers.IntegerField(
        required=False, min_value=1, help_text="The id of a stored configuration."
    )
    strategy = serializers.CharField(
        required=False, max_length=128, help_text="Such as ema_crossover"
    )
    parameters = serializers.DictField(
        required=False, help_text="By name; the defaults for those left out."
    )
    exchange = serializers.CharField(help_text="okx or okx-sim")
    symbol = serializers.CharField(help_text="Such as BTC-USDT")
    timeframe = serializers.ChoiceField(
        choices=TIMEFRAMES, required=False, help_text="1m when it is left out."
    )
    start = TimeField()
    end = TimeField()
    trading = serializers.DictField(
        required=False,
        default=dict,
        help_text="Initial balance, costs, sizing, stops and limits; defaults for those left out.",
    )
    tags = serializers.ListField(
        child=serializers.CharField(max_length=32),
        required=False,
        default=list,
        max_length=MOST_TAGS,
    )
    notes = serializers.CharField(required=False, default="", allow_blank=True, max_length=10_000)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Take strategy, parameters and timeframe from the configuration where one is named."""
        number = attrs.pop("config", None)
        if number is None:
            if "strategy" not in attrs:
                raise serializers.ValidationError({"strategy": ["expected one, or a config"]})
            return {"parameters": {}, "timeframe": Timeframe.M1.value, **attrs}
        if given := [name for name in ("strategy", "parameters", "timeframe") if name in attrs]:
            reason = "the configuration says it: leave this out"
            raise serializers.ValidationError({name: [reason] for name in given})
        config = self._configs().filter(pk=number, deleted_at=None).first()
        if config is None:
            raise serializers.ValidationError({"config": [f"there is no configuration {number}"]})
        return {
            **attrs,
            "strategy": config.strategy,
            "parameters": config.params,
            "timeframe": config.timeframe,
            "config": config.pk,
        }

    def _configs(self) -> ConfigQuerySet:
        return StrategyConfig.objects.visible_to(self.context["request"].user)


class BacktestSerializer(serializers.ModelSerializer[Backtest]):
    owner = serializers.CharField(source="owner.username", allow_null=True, read_only=True)
    exchange = serializers.CharField(source="instrument.exchange", read_only=True)
    symbol = serializers.CharField(source="instrument.symbol", read_only=True)
    state = serializers.ChoiceField(choices=Backtest.State.choices, read_only=True)
    topic = serializers.CharField(
        source="job.topic", default=None, read_only=True, help_text="Follow it on /ws/stream/."
    )
    error = serializers.SerializerMethodField()

    class Meta:
        model = Backtest
        fields: tuple[str, ...] = (
            "id",
            "owner",
            "state",
            "job",
            "topic",
            "strategy",
            "parameters",
            "config",
            "exchange",
            "symbol",
            "timeframe",
            "start",
            "end",
            "trading",
            "metrics",
            "badges",
            "proof",
            "result_hash",
            "tags",
            "notes",
            "error",
            "created_at",
            "finished_at",
        )
        read_only_fields: tuple[str, ...] = fields

    def get_error(self, backtest: Backtest) -> str:
        return backtest.error or (backtest.job.error if backtest.job else "")


@extend_schema_field(
    {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "key": {"type": "string"},
                "title": {"type": "string"},
                "unit": {"type": "string", "enum": ["share", "ratio", "cash", "ms", "count"]},
                "formula": {"type": "string"},
                "value": {"type": "number", "nullable": True},
            },
        },
    }
)
class FiguresField(serializers.Field[Any, Any, Any, Any]):
    """Every metric in its order, with what it means; null where it is unknown."""

    def to_representation(self, value: dict[str, float | None]) -> list[dict[str, Any]]:
        return [
            {
                "key": metric.key,
                "title": metric.title,
                "unit": metric.unit,
                "formula": metric.formula,
                "value": value.get(metric.key),
            }
            for metric in METRICS
        ]


@extend_schema_field(
    {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "program": {"type": "string", "enum": ["vectorbt", "backtesting.py", "freqtrade"]},
                "key": {"type": "string"},
                "title": {"type": "string"},
                "unit": {"type": "string", "enum": ["share", "ratio", "cash"]},
                "formula": {"type": "string"},
                "source": {"type": "string"},
                "value": {"type": "number", "nullable": True},
            },
        },
    }
)
class OthersField(serializers.Field[Any, Any, Any, Any]):
    """The same account as other programs would report it; null where it is unknown."""

    def to_representation(self, value: dict[str, dict[str, float | None]]) -> list[dict[str, Any]]:
        return [
            {
                "program": other.program,
                "key": other.key,
                "title": other.title,
                "unit": other.unit,
                "formula": other.formula,
                "source": other.source,
                "value": value.get(other.program, {}).get(other.key),
            }
            for other in OTHERS
        ]


class ResultSerializer(BacktestSerializer):
    """A finished backtest with all that a page of it shows but the fills."""

    figures = FiguresField(source="metrics", read_only=True)
    as_others = OthersField(source="compared", read_only=True)

    class Meta(BacktestSerializer.Meta):
        fields = (
            *BacktestSerializer.Meta.fields,
            "figures",
            "as_others",
            "curve",
            "proofs",
            "integrity",
            "fingerprint",
            "source_hash",
            "engine_version",
        )
        read_only_fields = fields


class FillsQuery(Query):
    first = serializers.IntegerField(min_value=0, default=0, help_text="Number of the first fill.")
    limit = serializers.IntegerField(min_value=1, max_value=MAX_ROWS, default=1_000)


class FillSerializer(serializers.Serializer[Any]):
    """One fill; decimals as text, as they were traded."""

    time_ms = serializers.IntegerField()
    side = serializers.ChoiceField(choices=("buy", "sell"))
    quantity = serializers.CharField()
    price = serializers.CharField()
    fee = serializers.CharField()
    slippage = serializers.CharField()
    reason = serializers.CharField()
    cash = serializers.CharField(help_text="After it.")
    position = serializers.CharField(help_text="After it.")


class FillsSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    fills = FillSerializer(many=True)


class EquityQuery(Query):
    max_points = serializers.IntegerField(
        min_value=10, max_value=MAX_ROWS, default=1_000, help_text="Extremes are kept."
    )


class EquitySerializer(serializers.Serializer[Any]):
    """Close times and equity in quote currency, as columns."""

    time_ms = serializers.ListField(child=serializers.IntegerField())
    equity = serializers.ListField(child=serializers.FloatField())
