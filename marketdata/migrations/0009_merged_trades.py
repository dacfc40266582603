from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("marketdata", "0008_hypertables")]

    operations = [
        migrations.RemoveConstraint(model_name="datagap", name="gap_not_empty"),
        migrations.RemoveIndex(model_name="datagap", name="gap_due"),
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
                    ("refused", "Refused"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="datagap",
            name="kind",
            field=models.CharField(
                choices=[("trades", "Trades"), ("candles", "Candles"), ("merged", "Merged")],
                max_length=8,
            ),
        ),
        migrations.AddIndex(
            model_name="datagap",
            index=models.Index(
                condition=models.Q(("state__in", ["open", "repairing", "unrepairable"])),
                fields=["next_attempt_at"],
                name="gap_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="datagap",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("kind__in", ["trades", "merged"]),
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
    ]
