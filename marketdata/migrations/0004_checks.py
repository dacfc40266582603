import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("marketdata", "0003_gaps"),
    ]

    operations = [
        migrations.AddField(
            model_name="candleday",
            name="by_exchange",
            field=models.IntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="candleday",
            name="by_import",
            field=models.IntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="candleday",
            name="by_trades",
            field=models.IntegerField(db_default=0, help_text="Of the complete ones, by source."),
        ),
        migrations.AddField(
            model_name="candleday",
            name="counted_version",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="candleday",
            name="flat",
            field=models.IntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="candleday",
            name="revised",
            field=models.IntegerField(
                db_default=0,
                help_text="Candles that were changed or inserted after they were closed.",
            ),
        ),
        migrations.AlterField(
            model_name="candleday",
            name="complete",
            field=models.IntegerField(default=0, help_text="Candles with all their minutes."),
        ),
        migrations.CreateModel(
            name="CandleCheck",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "instrument",
                        "day",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField()),
                ("verified", models.BinaryField(max_length=180)),
                ("differs", models.BinaryField(max_length=180)),
                (
                    "asked_at",
                    models.DateTimeField(
                        help_text="When the exchange was last asked for candles of this day.",
                        null=True,
                    ),
                ),
                (
                    "asks",
                    models.SmallIntegerField(
                        db_default=0, help_text="Questions in a row without an answer."
                    ),
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
            name="CandleConflict",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("open_time", models.DateTimeField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("exchange", "differs from the exchange's"),
                            ("locked", "refused by a lock"),
                        ],
                        max_length=8,
                    ),
                ),
                ("our_open", models.FloatField(null=True)),
                ("our_high", models.FloatField(null=True)),
                ("our_low", models.FloatField(null=True)),
                ("our_close", models.FloatField(null=True)),
                ("our_volume", models.FloatField(null=True)),
                ("our_quote_volume", models.FloatField(null=True)),
                ("their_open", models.FloatField()),
                ("their_high", models.FloatField()),
                ("their_low", models.FloatField()),
                ("their_close", models.FloatField()),
                ("their_volume", models.FloatField()),
                (
                    "their_quote_volume",
                    models.FloatField(help_text="Empty where it was not told.", null=True),
                ),
                (
                    "their_source",
                    models.SmallIntegerField(
                        choices=[(0, "trades"), (1, "exchange"), (2, "imported"), (3, "flat")],
                        default=1,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("settled", "settled: both say the same now"),
                            ("kept", "kept: a person left ours as it is"),
                        ],
                        default="open",
                        max_length=8,
                    ),
                ),
                (
                    "found_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "attempts",
                    models.SmallIntegerField(
                        db_default=0, help_text="How often the minute's trades were fetched again."
                    ),
                ),
                ("tried_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                ("how", models.CharField(blank=True, db_default="", max_length=64)),
                (
                    "instrument",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="candle_conflicts",
                        to="marketdata.instrument",
                    ),
                ),
            ],
            options={
                "ordering": ("-open_time",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "open")),
                        fields=["found_at"],
                        name="conflict_open",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("instrument", "open_time", "kind"), name="conflict_unique"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("settled_at", None), ("state", "open")),
                            models.Q(
                                models.Q(("state", "open"), _negated=True),
                                ("settled_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="conflict_settled_at",
                    ),
                ],
            },
        ),
    ]
