from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

import backtests.models.figures


class Migration(migrations.Migration):
    dependencies = [
        ("backtests", "0002_searches"),
        ("strategies", "0001_initial"),
    ]

    operations = [
        migrations.RemoveField(
            model_name="backtest",
            name="config_version",
        ),
        migrations.AlterField(
            model_name="backtest",
            name="strategy",
            field=models.CharField(max_length=128),
        ),
        migrations.AddField(
            model_name="backtest",
            name="compared",
            field=models.JSONField(
                blank=True,
                decoder=backtests.models.figures.Figures,
                default=dict,
                help_text="Figures as other programs compute them, by program and key.",
            ),
        ),
        migrations.AddField(
            model_name="backtest",
            name="config",
            field=models.ForeignKey(
                blank=True,
                help_text="The version of a stored configuration that it was taken from.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="backtests",
                to="strategies.strategyconfig",
            ),
        ),
        migrations.AddField(
            model_name="backtest",
            name="proof",
            field=models.CharField(
                choices=[
                    ("passed", "Passed"),
                    ("failed", "Failed"),
                    ("unproven", "Unproven"),
                ],
                default="unproven",
                help_text="Whether the strategy passed its proofs with these parameters and this"
                " code.",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="backtest",
            name="proofs",
            field=models.JSONField(blank=True, default=list, help_text="What each proof found."),
        ),
        migrations.AddField(
            model_name="backtest",
            name="source",
            field=models.TextField(blank=True, help_text="The code of an own strategy."),
        ),
    ]
