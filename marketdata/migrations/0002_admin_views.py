"""Views with a text key over the bulk tables: the admin cannot show a composite key.

A migration that alters a column of these tables drops the view first and creates it again.
"""

import django.db.models.functions.datetime
from django.db import migrations, models


def view(name, table, *key):
    """Return the operation that makes a view of a table with its key as one text."""
    parts = " || '-' || ".join(key)
    # Names of this file alone: nothing from outside gets into the statement.
    return migrations.RunSQL(
        f"create view {name} as select {parts} as id, {table}.* from {table}",  # noqa: S608
        f"drop view {name}",
    )


def milliseconds(column):
    return f"(extract(epoch from {column}) * 1000)::bigint"


class Migration(migrations.Migration):
    dependencies = [
        ("marketdata", "0001_initial"),
    ]

    operations = [
        view(
            "marketdata_candlerow",
            "marketdata_candle",
            "instrument_id",
            "timeframe",
            milliseconds("open_time"),
        ),
        view(
            "marketdata_traderow",
            "marketdata_trade",
            "instrument_id",
            milliseconds("executed_at"),
            "trade_id",
        ),
        view(
            "marketdata_revisionrow",
            "marketdata_candlerevision",
            "instrument_id",
            "timeframe",
            milliseconds("open_time"),
            "revision",
        ),
        migrations.CreateModel(
            name="CandleRow",
            fields=[
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
                ("id", models.TextField(primary_key=True, serialize=False)),
            ],
            options={
                "verbose_name": "candle",
                "ordering": ("-instrument_id", "-timeframe", "-open_time"),
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="RevisionRow",
            fields=[
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
                ("id", models.TextField(primary_key=True, serialize=False)),
            ],
            options={
                "verbose_name": "candle revision",
                "ordering": ("-instrument_id", "-timeframe", "-open_time", "-revision"),
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="TradeRow",
            fields=[
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
                ("count", models.IntegerField(default=1)),
                ("side", models.SmallIntegerField(choices=[(1, "buy"), (-1, "sell")])),
                ("id", models.TextField(primary_key=True, serialize=False)),
            ],
            options={
                "verbose_name": "trade",
                "ordering": ("-instrument_id", "-executed_at", "-trade_id"),
                "managed": False,
            },
        ),
    ]
