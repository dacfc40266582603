"""The tables of market data; the columns of bulk tables are in order of width."""

from decimal import Decimal

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Collector",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=64, unique=True)),
                ("exchange", models.CharField(max_length=32)),
                (
                    "desired",
                    models.CharField(
                        choices=[("running", "Running"), ("stopped", "Stopped")],
                        default="running",
                        max_length=8,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("stopped", "Stopped"),
                            ("starting", "Starting"),
                            ("live", "Live"),
                            ("degraded", "Degraded"),
                            ("failed", "Failed"),
                        ],
                        default="stopped",
                        max_length=10,
                    ),
                ),
                ("lease_owner", models.CharField(blank=True, max_length=128)),
                ("lease_expires_at", models.DateTimeField(blank=True, null=True)),
                (
                    "fencing_token",
                    models.BigIntegerField(
                        default=0,
                        help_text="Raised at every take-over; checked first in every write.",
                    ),
                ),
                ("restart_requested_at", models.DateTimeField(blank=True, null=True)),
                ("requested_at", models.DateTimeField(blank=True, null=True)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("heartbeat_at", models.DateTimeField(blank=True, null=True)),
                (
                    "exchange_time",
                    models.DateTimeField(
                        blank=True, help_text="The newest event time delivered.", null=True
                    ),
                ),
                ("counters", models.JSONField(blank=True, default=dict)),
                ("last_error", models.TextField(blank=True)),
                ("last_error_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="Instrument",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("exchange", models.CharField(max_length=32)),
                ("symbol", models.CharField(max_length=64)),
                (
                    "kind",
                    models.CharField(choices=[("spot", "Spot"), ("swap", "Swap")], max_length=8),
                ),
                ("base", models.CharField(max_length=16)),
                ("quote", models.CharField(max_length=16)),
                ("tick_size", models.DecimalField(decimal_places=16, max_digits=28)),
                ("lot_size", models.DecimalField(decimal_places=16, max_digits=28)),
                ("min_size", models.DecimalField(decimal_places=16, max_digits=28)),
                (
                    "contract_value",
                    models.DecimalField(
                        decimal_places=16,
                        default=Decimal(1),
                        help_text="Base currency in one unit of size: 1 for spot.",
                        max_digits=28,
                    ),
                ),
                ("state", models.CharField(default="live", max_length=16)),
                ("listed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "is_enabled",
                    models.BooleanField(
                        default=False, help_text="Collected live, with its history loaded."
                    ),
                ),
                ("history_loaded_at", models.DateTimeField(blank=True, null=True)),
                (
                    "collector",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="instruments",
                        to="marketdata.collector",
                    ),
                ),
            ],
            options={
                "ordering": ("exchange", "symbol"),
            },
        ),
        migrations.CreateModel(
            name="DataGap",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("first_trade_id", models.BigIntegerField()),
                ("last_trade_id", models.BigIntegerField()),
                ("start", models.DateTimeField(help_text="Time of the last trade before the gap.")),
                ("end", models.DateTimeField(help_text="Time of the first trade after the gap.")),
                (
                    "cause",
                    models.CharField(
                        choices=[("restart", "Restart"), ("outage", "Outage"), ("loss", "Loss")],
                        max_length=16,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("repaired", "Repaired"),
                            ("unrepairable", "Unrepairable"),
                        ],
                        default="open",
                        max_length=16,
                    ),
                ),
                ("reason", models.TextField(blank=True)),
                (
                    "opened_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "instrument",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="gaps",
                        to="marketdata.instrument",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="CandleRevision",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "instrument",
                        "timeframe",
                        "open_time",
                        "revision",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("open_time", models.DateTimeField()),
                (
                    "recorded_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("open", models.FloatField(null=True)),
                ("high", models.FloatField(null=True)),
                ("low", models.FloatField(null=True)),
                ("close", models.FloatField(null=True)),
                ("volume", models.FloatField(null=True)),
                ("quote_volume", models.FloatField(null=True)),
                ("trade_count", models.BigIntegerField(null=True)),
                (
                    "instrument",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="marketdata.instrument",
                    ),
                ),
                ("revision", models.IntegerField()),
                (
                    "timeframe",
                    models.SmallIntegerField(
                        choices=[
                            (1, "1m"),
                            (5, "5m"),
                            (15, "15m"),
                            (60, "1h"),
                            (240, "4h"),
                            (1440, "1d"),
                        ],
                        help_text="Length in minutes.",
                    ),
                ),
                ("minutes", models.SmallIntegerField(null=True)),
                (
                    "source",
                    models.SmallIntegerField(
                        choices=[(0, "trades"), (1, "exchange"), (2, "imported"), (3, "flat")],
                        null=True,
                    ),
                ),
                ("reason", models.CharField(max_length=64)),
            ],
        ),
        migrations.CreateModel(
            name="CandleDay",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "instrument",
                        "timeframe",
                        "day",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("version", models.BigIntegerField(default=1)),
                ("hashed_version", models.BigIntegerField(default=0)),
                (
                    "instrument",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="marketdata.instrument",
                    ),
                ),
                ("day", models.DateField()),
                ("rows", models.IntegerField(default=0)),
                ("complete", models.IntegerField(default=0)),
                (
                    "timeframe",
                    models.SmallIntegerField(
                        choices=[
                            (1, "1m"),
                            (5, "5m"),
                            (15, "15m"),
                            (60, "1h"),
                            (240, "4h"),
                            (1440, "1d"),
                        ],
                        help_text="Length in minutes.",
                    ),
                ),
                ("fingerprint", models.BinaryField(default=b"", max_length=32)),
            ],
        ),
        migrations.CreateModel(
            name="Candle",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "instrument",
                        "timeframe",
                        "open_time",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("open_time", models.DateTimeField()),
                ("open", models.FloatField()),
                ("high", models.FloatField()),
                ("low", models.FloatField()),
                ("close", models.FloatField()),
                ("volume", models.FloatField(help_text="Base currency.")),
                ("quote_volume", models.FloatField()),
                ("trade_count", models.BigIntegerField(help_text="-1: unknown.")),
                ("first_trade_id", models.BigIntegerField(help_text="-1: unknown.")),
                ("last_trade_id", models.BigIntegerField(help_text="-1: unknown.")),
                ("closed_at", models.DateTimeField()),
                (
                    "instrument",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="marketdata.instrument",
                    ),
                ),
                ("revision", models.IntegerField(default=0)),
                (
                    "timeframe",
                    models.SmallIntegerField(
                        choices=[
                            (1, "1m"),
                            (5, "5m"),
                            (15, "15m"),
                            (60, "1h"),
                            (240, "4h"),
                            (1440, "1d"),
                        ],
                        help_text="Length in minutes.",
                    ),
                ),
                ("minutes", models.SmallIntegerField(help_text="Whole minutes present.")),
                (
                    "source",
                    models.SmallIntegerField(
                        choices=[(0, "trades"), (1, "exchange"), (2, "imported"), (3, "flat")]
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Opening",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "instrument",
                        "open_time",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("open_time", models.DateTimeField()),
                ("price", models.FloatField()),
                ("trade_id", models.BigIntegerField()),
                ("executed_at", models.DateTimeField()),
                (
                    "committed_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "instrument",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="marketdata.instrument",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Trade",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "instrument",
                        "executed_at",
                        "trade_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("executed_at", models.DateTimeField()),
                ("trade_id", models.BigIntegerField()),
                ("price", models.FloatField()),
                (
                    "size",
                    models.FloatField(help_text="Base currency for spot, contracts for swaps."),
                ),
                (
                    "received_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "instrument",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="marketdata.instrument",
                    ),
                ),
                ("count", models.IntegerField(default=1)),
                ("side", models.SmallIntegerField(choices=[(1, "buy"), (-1, "sell")])),
            ],
        ),
        migrations.AddConstraint(
            model_name="instrument",
            constraint=models.UniqueConstraint(
                fields=("exchange", "symbol"), name="instrument_unique"
            ),
        ),
        migrations.AddConstraint(
            model_name="instrument",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("contract_value__gt", 0), ("lot_size__gt", 0), ("tick_size__gt", 0)
                ),
                name="instrument_sizes_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="datagap",
            constraint=models.UniqueConstraint(
                fields=("instrument", "first_trade_id", "last_trade_id"), name="gap_unique"
            ),
        ),
        migrations.AddConstraint(
            model_name="datagap",
            constraint=models.CheckConstraint(
                condition=models.Q(("last_trade_id__gte", models.F("first_trade_id"))),
                name="gap_not_empty",
            ),
        ),
        migrations.AddConstraint(
            model_name="candle",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("low__lte", models.F("open")),
                    ("low__lte", models.F("close")),
                    ("high__gte", models.F("open")),
                    ("high__gte", models.F("close")),
                    ("volume__gte", 0),
                ),
                name="candle_shape",
            ),
        ),
    ]
