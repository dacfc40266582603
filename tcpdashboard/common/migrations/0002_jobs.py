import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("common", "0001_alerts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Job",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(help_text="Which handler does it.", max_length=32)),
                ("title", models.CharField(max_length=200)),
                ("parameters", models.JSONField(blank=True, default=dict)),
                (
                    "desired",
                    models.CharField(
                        choices=[("run", "Run"), ("pause", "Pause"), ("cancel", "Cancel")],
                        default="run",
                        max_length=8,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("paused", "Paused"),
                            ("cancelling", "Cancelling"),
                            ("cancelled", "Cancelled"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=10,
                    ),
                ),
                ("done", models.BigIntegerField(default=0)),
                (
                    "total",
                    models.BigIntegerField(blank=True, help_text="Empty: not known.", null=True),
                ),
                (
                    "unit",
                    models.CharField(
                        blank=True, help_text="What done and total count.", max_length=32
                    ),
                ),
                (
                    "message",
                    models.CharField(blank=True, help_text="What it is at.", max_length=200),
                ),
                (
                    "checkpoint",
                    models.JSONField(
                        blank=True, default=dict, help_text="What the next worker resumes from."
                    ),
                ),
                ("result", models.JSONField(blank=True, default=dict)),
                ("error", models.TextField(blank=True)),
                (
                    "attempts",
                    models.PositiveIntegerField(
                        default=0, help_text="How often it was taken since it last got further."
                    ),
                ),
                ("lease_owner", models.CharField(blank=True, max_length=128)),
                ("lease_expires_at", models.DateTimeField(blank=True, null=True)),
                (
                    "fencing_token",
                    models.BigIntegerField(
                        default=0,
                        help_text="Raised whenever it is taken; fences what its worker writes.",
                    ),
                ),
                ("requested_at", models.DateTimeField(blank=True, null=True)),
                (
                    "retry_at",
                    models.DateTimeField(blank=True, help_text="Not taken before.", null=True),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        help_text="Who asked for it; empty: the system.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="jobs",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("-pk",),
                "indexes": [
                    models.Index(
                        condition=models.Q(
                            ("state__in", ("queued", "running", "paused", "cancelling"))
                        ),
                        fields=["kind", "id"],
                        name="job_active",
                    ),
                    models.Index(fields=["owner", "-id"], name="job_of_owner"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("desired__in", ("run", "pause", "cancel"))),
                        name="job_desired_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("finished_at__isnull", False),
                                ("state__in", ("done", "cancelled", "failed")),
                            ),
                            models.Q(
                                ("finished_at__isnull", True),
                                ("state__in", ("queued", "running", "paused", "cancelling")),
                            ),
                            _connector="OR",
                        ),
                        name="job_finished_has_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("lease_expires_at", None),
                            ("state__in", ("running", "cancelling")),
                            _connector="OR",
                        ),
                        name="job_lease_only_at_work",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("done__gte", 0),
                            models.Q(("total", None), ("total__gte", 0), _connector="OR"),
                        ),
                        name="job_progress_positive",
                    ),
                ],
            },
        ),
    ]
