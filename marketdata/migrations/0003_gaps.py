"""Gaps of trades and of candles with a life, locks on ranges, and how far the scan has come."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("marketdata", "0002_admin_views"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="RangeLock",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("start", models.DateTimeField()),
                ("end", models.DateTimeField()),
                ("reason", models.TextField()),
                (
                    "made_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "ordering": ("-made_at",),
            },
        ),
        migrations.CreateModel(
            name="RefusedBatch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("error", models.TextField()),
                (
                    "payload",
                    models.JSONField(help_text="Trades, openings, minutes and holes of the batch."),
                ),
                (
                    "refused_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "ordering": ("-refused_at",),
                "verbose_name_plural": "refused batches",
            },
        ),
        migrations.CreateModel(
            name="TapeScan",
            fields=[
                (
                    "instrument",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="tape_scan",
                        serialize=False,
                        to="marketdata.instrument",
                    ),
                ),
                ("trade_id", models.BigIntegerField(help_text="The highest id seen.")),
                (
                    "executed_at",
                    models.DateTimeField(help_text="Trades before this were looked at."),
                ),
                (
                    "scanned_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="datagap",
            name="gap_unique",
        ),
        migrations.RemoveConstraint(
            model_name="datagap",
            name="gap_not_empty",
        ),
        migrations.AddField(
            model_name="candleday",
            name="scanned_version",
            field=models.BigIntegerField(
                db_default=0,
                help_text="The version at which the day was last looked through for gaps.",
            ),
        ),
        migrations.AddField(
            model_name="datagap",
            name="attempts",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="datagap",
            name="first_tried_at",
            field=models.DateTimeField(
                help_text="When the exchange was first asked for it in vain.", null=True
            ),
        ),
        migrations.AddField(
            model_name="datagap",
            name="filled_with",
            field=models.CharField(
                blank=True,
                choices=[("trades", "Trades"), ("candles", "Candles")],
                db_default="",
                default="",
                help_text="Candles: the trades themselves were not to be had any more.",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="datagap",
            name="given_up_at",
            field=models.DateTimeField(
                help_text="When the collector went on without it, its minutes incomplete.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="datagap",
            name="kind",
            field=models.CharField(
                choices=[("trades", "Trades"), ("candles", "Candles")],
                default="trades",
                max_length=8,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="datagap",
            name="lease_expires_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="datagap",
            name="lease_owner",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            model_name="datagap",
            name="next_attempt_at",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
        ),
        migrations.AddField(
            model_name="datagap",
            name="rest_end",
            field=models.DateTimeField(help_text="Time of the trade after that.", null=True),
        ),
        migrations.AddField(
            model_name="datagap",
            name="rest_last_id",
            field=models.BigIntegerField(
                help_text="The last id still missing; empty: the gap's last one.", null=True
            ),
        ),
        migrations.AddField(
            model_name="datagap",
            name="timeframe",
            field=models.SmallIntegerField(
                db_default=1, default=1, help_text="Length of the candles in minutes."
            ),
        ),
        migrations.AddField(
            model_name="instrument",
            name="id_holes_unfound",
            field=models.PositiveIntegerField(
                default=0, help_text="Id gaps in a row of which the exchange has no trade."
            ),
        ),
        migrations.AddField(
            model_name="instrument",
            name="id_rule_suspended_at",
            field=models.DateTimeField(
                blank=True,
                help_text="Since then missing trade ids are no gaps: the exchange leaves ids out.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="datagap",
            name="cause",
            field=models.CharField(
                choices=[
                    ("restart", "Restart"),
                    ("outage", "Outage"),
                    ("loss", "Loss"),
                    ("maintenance", "Maintenance"),
                    ("never_collected", "Never Collected"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="datagap",
            name="end",
            field=models.DateTimeField(
                help_text="Trades: time of the first one after the gap. "
                "Candles: end of the last missing."
            ),
        ),
        migrations.AlterField(
            model_name="datagap",
            name="first_trade_id",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name="datagap",
            name="last_trade_id",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name="datagap",
            name="reason",
            field=models.TextField(
                blank=True, db_default="", default="", help_text="Why it is as it is, for a person."
            ),
        ),
        migrations.AlterField(
            model_name="datagap",
            name="start",
            field=models.DateTimeField(
                help_text="Trades: time of the last one before the gap. "
                "Candles: first open time missing."
            ),
        ),
        migrations.AlterField(
            model_name="datagap",
            name="state",
            field=models.CharField(
                choices=[
                    ("open", "Open"),
                    ("repairing", "Repairing"),
                    ("repaired", "Repaired"),
                    ("unrepairable", "Unrepairable"),
                ],
                db_default="open",
                default="open",
                max_length=16,
            ),
        ),
        # Until now a reason alone said that the collector had given a hole up.
        migrations.RunSQL(
            "update marketdata_datagap set given_up_at = opened_at where reason <> ''",
            migrations.RunSQL.noop,
        ),
        migrations.AddIndex(
            model_name="candleday",
            index=models.Index(
                condition=models.Q(("version", models.F("scanned_version")), _negated=True),
                fields=["instrument", "day"],
                name="candleday_to_scan",
            ),
        ),
        migrations.AddIndex(
            model_name="datagap",
            index=models.Index(
                condition=models.Q(("state__in", ["open", "repairing"])),
                fields=["next_attempt_at"],
                name="gap_due",
            ),
        ),
        migrations.AddIndex(
            model_name="datagap",
            index=models.Index(fields=["-opened_at"], name="gap_newest"),
        ),
        migrations.AddConstraint(
            model_name="datagap",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "trades")),
                fields=("instrument", "first_trade_id", "last_trade_id"),
                name="gap_trades_unique",
            ),
        ),
        migrations.AddConstraint(
            model_name="datagap",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("kind", "candles"), models.Q(("state", "repaired"), _negated=True)
                ),
                fields=("instrument", "timeframe", "start"),
                name="gap_candles_unique",
            ),
        ),
        migrations.AddConstraint(
            model_name="datagap",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("kind", "trades"),
                        ("last_trade_id__gte", models.F("first_trade_id")),
                        ("timeframe", 1),
                    ),
                    models.Q(
                        ("end__gt", models.F("start")),
                        ("first_trade_id", None),
                        ("kind", "candles"),
                        ("last_trade_id", None),
                    ),
                    _connector="OR",
                ),
                name="gap_not_empty",
            ),
        ),
        migrations.AddConstraint(
            model_name="datagap",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["open", "repairing", "repaired", "unrepairable"])
                ),
                name="gap_state_known",
            ),
        ),
        migrations.AddField(
            model_name="rangelock",
            name="instrument",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="locks",
                to="marketdata.instrument",
            ),
        ),
        migrations.AddField(
            model_name="rangelock",
            name="made_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="refusedbatch",
            name="instrument",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="marketdata.instrument",
            ),
        ),
        migrations.AddConstraint(
            model_name="rangelock",
            constraint=models.CheckConstraint(
                condition=models.Q(("end__gt", models.F("start"))), name="range_lock_not_empty"
            ),
        ),
    ]
