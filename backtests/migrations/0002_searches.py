from __future__ import annotations

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import backtests.models


class Migration(migrations.Migration):
    dependencies = [
        ("backtests", "0001_initial"),
        ("common", "0002_jobs"),
        ("marketdata", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Search",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("strategy", models.CharField(max_length=128)),
                (
                    "parameters",
                    models.JSONField(
                        blank=True, default=dict, help_text="Those that stay as they are."
                    ),
                ),
                (
                    "space",
                    models.JSONField(
                        help_text="Those searched: a list of axes, the last moves fastest."
                    ),
                ),
                (
                    "method",
                    models.CharField(
                        choices=[("grid", "Grid"), ("random", "Random"), ("optuna", "Optuna")],
                        max_length=8,
                    ),
                ),
                ("count", models.PositiveIntegerField(help_text="Trials in each window.")),
                ("seed", models.BigIntegerField(default=0)),
                (
                    "objective",
                    models.CharField(help_text="The metric that is to be best.", max_length=32),
                ),
                ("is_maximised", models.BooleanField(default=True)),
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
                    "validation",
                    models.CharField(
                        choices=[
                            ("none", "None"),
                            ("holdout", "Holdout"),
                            ("walk_forward", "Walk Forward"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "windows",
                    models.JSONField(help_text="Where trials run and the best are tested, in ms."),
                ),
                (
                    "engine_version",
                    models.PositiveIntegerField(help_text="Of the execution kernel."),
                ),
                (
                    "fingerprint",
                    models.CharField(
                        blank=True, help_text="Of the candles it uses.", max_length=64
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
                (
                    "done",
                    models.PositiveIntegerField(default=0, help_text="Trials that are stored."),
                ),
                ("total", models.PositiveIntegerField(help_text="Trials of all windows.")),
                (
                    "summary",
                    models.JSONField(
                        blank=True,
                        decoder=backtests.models.Figures,
                        default=dict,
                        help_text="What came out, written at the end.",
                    ),
                ),
                ("tags", models.JSONField(blank=True, default=list)),
                ("notes", models.TextField(blank=True)),
                ("error", models.TextField(blank=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "instrument",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="searches",
                        to="marketdata.instrument",
                    ),
                ),
                (
                    "jobs",
                    models.ManyToManyField(
                        blank=True,
                        help_text="One for each worker that helps.",
                        related_name="searches",
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
                        related_name="searches",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "searches",
                "ordering": ("-pk",),
            },
        ),
        migrations.CreateModel(
            name="SearchBatch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("trials", "Trials"),
                            ("suggest", "suggest: say what to try, by what came of earlier trials"),
                            ("sum", "sum: test the best and sum the search up"),
                        ],
                        default="trials",
                        max_length=8,
                    ),
                ),
                ("window", models.PositiveIntegerField(default=0)),
                (
                    "first",
                    models.PositiveIntegerField(default=0, help_text="Number of the first trial."),
                ),
                ("count", models.PositiveIntegerField(default=0, help_text="Trials.")),
                (
                    "parameters",
                    models.JSONField(
                        blank=True,
                        help_text="Those to try; empty where the numbers say which.",
                        null=True,
                    ),
                ),
                (
                    "token",
                    models.BigIntegerField(default=0, help_text="Of that job when it took it."),
                ),
                ("is_done", models.BooleanField(default=False)),
                (
                    "job",
                    models.ForeignKey(
                        blank=True,
                        help_text="Which took it last.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to="common.job",
                    ),
                ),
                (
                    "search",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="batches",
                        to="backtests.search",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "search batches",
            },
        ),
        migrations.CreateModel(
            name="Trial",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("window", models.PositiveIntegerField(default=0)),
                ("number", models.PositiveIntegerField(help_text="Within the window, from 0.")),
                ("parameters", models.JSONField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("done", "Done"),
                            ("refused", "refused: parameters that do not go together"),
                            ("failed", "Failed"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "objective",
                    models.FloatField(blank=True, help_text="Empty: unknown.", null=True),
                ),
                (
                    "metrics",
                    models.JSONField(blank=True, decoder=backtests.models.Figures, default=dict),
                ),
                (
                    "outside",
                    models.JSONField(
                        blank=True,
                        decoder=backtests.models.Figures,
                        help_text="The metrics out of sample, of the best.",
                        null=True,
                    ),
                ),
                ("error", models.TextField(blank=True)),
                (
                    "search",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="trials",
                        to="backtests.search",
                    ),
                ),
            ],
            options={
                "ordering": ("window", "number"),
            },
        ),
        migrations.AddIndex(
            model_name="search",
            index=models.Index(fields=["owner", "-id"], name="search_of_owner"),
        ),
        migrations.AddConstraint(
            model_name="search",
            constraint=models.CheckConstraint(
                condition=models.Q(("start__lt", models.F("end"))), name="search_range_ordered"
            ),
        ),
        migrations.AddConstraint(
            model_name="search",
            constraint=models.CheckConstraint(
                condition=models.Q(("done__lte", models.F("total"))),
                name="search_done_within_total",
            ),
        ),
        migrations.AddConstraint(
            model_name="search",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("finished_at", None),
                    models.Q(models.Q(("fingerprint", ""), _negated=True), ("error", "")),
                    _connector="OR",
                ),
                name="search_result_whole",
            ),
        ),
        migrations.AddIndex(
            model_name="searchbatch",
            index=models.Index(
                condition=models.Q(("is_done", False)),
                fields=["search", "id"],
                name="searchbatch_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="searchbatch",
            constraint=models.UniqueConstraint(
                fields=("search", "kind", "window", "first"), name="searchbatch_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="trial",
            constraint=models.UniqueConstraint(
                fields=("search", "window", "number"), name="trial_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="trial",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("error", ""), ("state", "done")),
                    models.Q(
                        models.Q(("error", ""), _negated=True), ("state__in", ("refused", "failed"))
                    ),
                    _connector="OR",
                ),
                name="trial_told",
            ),
        ),
    ]
