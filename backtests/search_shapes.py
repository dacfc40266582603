"""What the REST endpoints of searches take and answer."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers

from backtests.domain.metrics import METRICS
from backtests.models import Search, Trial
from backtests.serializers import MOST_TAGS, TIMEFRAMES
from marketdata.domain.timeframe import Timeframe
from marketdata.serializers.fields import TimeField
from marketdata.serializers.queries import Query

MOST_ROWS: Final = 5_000
SHOWN_METRICS: Final = ("total_return", "sharpe", "max_drawdown", "round_trips", "win_rate")
"""The metrics of columns that do not say which."""

_METRICS: Final = [metric.key for metric in METRICS]


class NewSearchSerializer(Query):
    """Parameters to search over a stretch of history, start included and end not."""

    strategy = serializers.CharField(max_length=128, help_text="Such as ema_crossover")
    space = serializers.DictField(
        help_text='By parameter: {"values": [...]} or {"min": .., "max": .., "step": ..}; '
        "what is left out is taken from the parameter's limits."
    )
    parameters = serializers.DictField(
        required=False, default=dict, help_text="Those that stay; the defaults for the others."
    )
    method = serializers.CharField(max_length=16, default="grid", help_text="grid, random, optuna")
    count = serializers.IntegerField(
        required=False, min_value=1, help_text="Trials of a random or an Optuna search; 100."
    )
    seed = serializers.IntegerField(required=False, default=0)
    objective = serializers.CharField(
        max_length=32, default="sharpe", help_text="The metric that is to be best."
    )
    direction = serializers.CharField(
        max_length=8, required=False, help_text="max or min; by the metric when left out."
    )
    exchange = serializers.CharField(help_text="okx or okx-sim")
    symbol = serializers.CharField(help_text="Such as BTC-USDT")
    timeframe = serializers.ChoiceField(choices=TIMEFRAMES, default=Timeframe.M1.value)
    start = TimeField()
    end = TimeField()
    trading = serializers.DictField(required=False, default=dict, help_text="As of backtests.")
    validation = serializers.DictField(
        required=False,
        default=lambda: {"kind": "none"},
        help_text='{"kind": "none"}, {"kind": "holdout", "share": 0.25} or {"kind": '
        '"walk_forward", "mode": "rolling" or "anchored", "train_days": .., "test_days": ..}',
    )
    tags = serializers.ListField(
        child=serializers.CharField(max_length=32),
        required=False,
        default=list,
        max_length=MOST_TAGS,
    )
    notes = serializers.CharField(required=False, default="", allow_blank=True, max_length=10_000)


class SearchSerializer(serializers.ModelSerializer[Search]):
    """A search with its progress and, at its end, what came out."""

    owner = serializers.CharField(source="owner.username", allow_null=True, read_only=True)
    exchange = serializers.CharField(source="instrument.exchange", read_only=True)
    symbol = serializers.CharField(source="instrument.symbol", read_only=True)
    state = serializers.ChoiceField(choices=Search.State.choices, read_only=True)
    topic = serializers.CharField(read_only=True, help_text="Follow it on /ws/stream/.")
    direction = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()

    class Meta:
        model = Search
        fields = (
            "id",
            "owner",
            "state",
            "topic",
            "strategy",
            "parameters",
            "space",
            "method",
            "count",
            "seed",
            "objective",
            "direction",
            "exchange",
            "symbol",
            "timeframe",
            "start",
            "end",
            "trading",
            "validation",
            "windows",
            "done",
            "total",
            "integrity",
            "badges",
            "fingerprint",
            "source_hash",
            "engine_version",
            "summary",
            "tags",
            "notes",
            "error",
            "created_at",
            "started_at",
            "finished_at",
        )
        read_only_fields = fields

    def get_direction(self, search: Search) -> str:
        return "max" if search.is_maximised else "min"

    def get_error(self, search: Search) -> str:
        told = (job.error for job in search.jobs.all() if job.error)
        return search.error or next(told, "")


class WindowQuery(Query):
    window = serializers.IntegerField(min_value=0, default=0, help_text="Of a walk-forward.")


class TrialsQuery(WindowQuery):
    order = serializers.ChoiceField(
        choices=["objective", "number", "outside", *_METRICS],
        default="objective",
        help_text="objective: the best first; outside: those tested out of sample, best first; "
        "a metric: the largest first.",
    )
    reverse = serializers.BooleanField(default=False)
    state = serializers.ChoiceField(choices=Trial.State.choices, required=False)
    first = serializers.IntegerField(min_value=0, default=0)
    limit = serializers.IntegerField(min_value=1, max_value=MOST_ROWS, default=100)


class TrialSerializer(serializers.ModelSerializer[Trial]):
    outside = serializers.DictField(
        child=serializers.FloatField(allow_null=True),
        allow_null=True,
        help_text="The metrics out of sample; of the best only.",
    )

    class Meta:
        model = Trial
        fields = (
            "window",
            "number",
            "state",
            "parameters",
            "objective",
            "metrics",
            "outside",
            "error",
        )
        read_only_fields = fields


class TrialsSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    trials = TrialSerializer(many=True)


class HeatQuery(WindowQuery):
    x = serializers.CharField(max_length=64, help_text="A parameter that is searched.")
    y = serializers.CharField(max_length=64, help_text="Another one.")
    metric = serializers.ChoiceField(choices=_METRICS, required=False, help_text="The objective.")
    pick = serializers.ChoiceField(
        choices=["best", "mean", "worst"], default="best", help_text="Of the trials of a cell."
    )


class HeatAxisSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    values = serializers.ListField(
        child=serializers.JSONField(), help_text="Values, or the middles of equal parts."
    )
    edges = serializers.ListField(
        child=serializers.FloatField(), allow_null=True, help_text="Of the parts; null: values."
    )


class HeatSerializer(serializers.Serializer[Any]):
    """A row of cells for each value of y; null where nothing was tried."""

    metric = serializers.CharField()
    pick = serializers.CharField()
    window = serializers.IntegerField()
    x = HeatAxisSerializer()
    y = HeatAxisSerializer()
    cells = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField(allow_null=True))
    )
    counts = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))


class ColumnsQuery(WindowQuery):
    metrics = serializers.CharField(
        default=",".join(SHOWN_METRICS), max_length=1_000, help_text="Keys, with commas between."
    )
    most = serializers.IntegerField(
        min_value=1, max_value=MOST_ROWS, default=1_000, help_text="The best of them."
    )

    def validate_metrics(self, value: str) -> list[str]:
        keys = [key.strip() for key in value.split(",")]
        if unknown := [key for key in keys if key not in _METRICS]:
            raise serializers.ValidationError(
                f"there is no metric {unknown[0]!r}; expected some of {', '.join(_METRICS)}"
            )
        return keys


class ColumnsSerializer(serializers.Serializer[Any]):
    """Trials as columns, the best first: what a parallel view draws."""

    number = serializers.ListField(child=serializers.IntegerField())
    parameters = serializers.DictField(
        child=serializers.ListField(child=serializers.JSONField()), help_text="By name."
    )
    objective = serializers.ListField(child=serializers.FloatField(allow_null=True))
    outside = serializers.ListField(
        child=serializers.FloatField(allow_null=True), help_text="The objective out of sample."
    )
    metrics = serializers.DictField(
        child=serializers.ListField(child=serializers.FloatField(allow_null=True))
    )


class SearchExportQuery(Query):
    kind = serializers.ChoiceField(choices=["csv", "json"], default="csv")
