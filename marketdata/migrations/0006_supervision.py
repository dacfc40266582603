import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("marketdata", "0005_raw"),
    ]

    operations = [
        migrations.AddField(
            model_name="collector",
            name="channels",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="By instrument: its newest event, its channels' states.",
            ),
        ),
        migrations.AddField(
            model_name="collector",
            name="ended_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="collector",
            name="ended_reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("crash", "it failed"),
                    ("stalled", "nothing came in, although its sockets were open"),
                    ("failover", "its worker gave no sign of life"),
                    ("lease lost", "its worker stood still for too long"),
                    ("shutdown", "its worker was stopped"),
                    ("asked", "a person asked for it"),
                ],
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="collector",
            name="forgiven_at",
            field=models.DateTimeField(
                blank=True,
                help_text="Restarts before this do not count: a person has looked.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="collector",
            name="health",
            field=models.CharField(
                blank=True,
                choices=[
                    ("connecting", "Connecting"),
                    ("live", "Live"),
                    ("silent", "Silent"),
                    ("stale", "Stale"),
                    ("repairing", "Repairing"),
                    ("failed", "Failed"),
                ],
                help_text="Empty while nobody collects.",
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="CollectorRestart",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "fencing_token",
                    models.BigIntegerField(help_text="That of the holder it was started for."),
                ),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("crash", "it failed"),
                            ("stalled", "nothing came in, although its sockets were open"),
                            ("failover", "its worker gave no sign of life"),
                            ("lease lost", "its worker stood still for too long"),
                            ("shutdown", "its worker was stopped"),
                            ("asked", "a person asked for it"),
                        ],
                        max_length=12,
                    ),
                ),
                ("error", models.TextField(blank=True)),
                (
                    "holder",
                    models.CharField(
                        help_text="Who took it: host, process, a random end.", max_length=128
                    ),
                ),
                (
                    "down_since",
                    models.DateTimeField(help_text="The last sign of life before.", null=True),
                ),
                (
                    "live_at",
                    models.DateTimeField(
                        help_text="When everything was subscribed again.", null=True
                    ),
                ),
                (
                    "collector",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="restarts",
                        to="marketdata.collector",
                    ),
                ),
            ],
            options={
                "ordering": ("-at",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("collector", "fencing_token"), name="restart_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "reason__in",
                                ["crash", "stalled", "failover", "lease lost", "shutdown", "asked"],
                            )
                        ),
                        name="restart_reason_known",
                    ),
                ],
            },
        ),
    ]
