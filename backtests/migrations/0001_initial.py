"""Backtests."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import backtests.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("common", "0002_jobs"),
        ("marketdata", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Backtest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("strategy", models.CharField(max_length=64)),
                ("parameters", models.JSONField(blank=True, default=dict)),
                (
                    "config_version",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Of the stored configuration it was taken from.",
                        null=True,
                    ),
                ),
                (
                    "source_hash",
                    models.CharField(help_text="Of the strategy's code.", max_length=64),
                ),
                (
                    "timeframe",
                    models.CharField(
                        choices=[
                            ("1m", "1m"),
                            ("5m", "5m"),
                            ("15m", "15m"),
                            ("1h", "1h"),
                            ("4h", "4h"),
                            ("1d", "1d"),
                        ],
                        max_length=4,
                    ),
                ),
                ("start", models.DateTimeField()),
                ("end", models.DateTimeField(help_text="Not included.")),
                (
                    "trading",
                    models.JSONField(default=dict, help_text="Costs, sizing, stops and limits."),
                ),
                (
                    "engine_version",
                    models.PositiveIntegerField(help_text="Of the execution kernel."),
                ),
                (
                    "fingerprint",
                    models.CharField(
                        blank=True, help_text="Of the candles it used.", max_length=64
                    ),
                ),
                ("integrity", models.JSONField(blank=True, default=dict)),
                (
                    "badges",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="What to know before trusting the figures.",
                    ),
                ),
                ("result_hash", models.CharField(blank=True, max_length=64)),
                (
                    "metrics",
                    models.JSONField(blank=True, decoder=backtests.models.Figures, default=dict),
                ),
                (
                    "units",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="What a tick, a lot and a cash unit are in the file.",
                    ),
                ),
                (
                    "curve",
                    models.JSONField(
                        blank=True, default=dict, help_text="Equity, thinned to what a chart shows."
                    ),
                ),
                (
                    "artefact",
                    models.CharField(blank=True, help_text="Events and equity.", max_length=128),
                ),
                ("tags", models.JSONField(blank=True, default=list)),
                ("notes", models.TextField(blank=True)),
                ("error", models.TextField(blank=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "instrument",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="backtests",
                        to="marketdata.instrument",
                    ),
                ),
                (
                    "job",
                    models.OneToOneField(
                        blank=True,
                        help_text="Who does it; jobs are forgotten long before results.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="backtest",
                        to="common.job",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        help_text="Who asked for it; empty: the system.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="backtests",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("-pk",),
                "indexes": [models.Index(fields=["owner", "-id"], name="backtest_of_owner")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("start__lt", models.F("end"))),
                        name="backtest_range_ordered",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("artefact", ""), ("result_hash", "")),
                            models.Q(
                                models.Q(("result_hash", ""), _negated=True),
                                models.Q(("artefact", ""), _negated=True),
                                models.Q(("fingerprint", ""), _negated=True),
                                ("error", ""),
                            ),
                            _connector="OR",
                        ),
                        name="backtest_result_whole",
                    ),
                ],
            },
        ),
    ]
