"""Raw messages, by channel and day; how long they stay; archives; credentials of accounts."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import tcpdashboard.common.fields

CHANNELS = ("tickers", "books", "candle_pushes", "status", "instruments", "balances")
TABLE = "marketdata_rawmessage"

# By channel first, because each has its own retention, then by day, so that what is over is dropped
# as whole tables. No default partition: it would be scanned by every change of the others.
CREATE = f"""
create sequence {TABLE}_id_seq;
create table {TABLE} (
    id bigint not null default nextval('{TABLE}_id_seq'),
    exchange_time timestamptz not null,
    received_at timestamptz not null,
    instrument_id bigint,
    channel varchar(16) not null,
    exchange varchar(32) not null,
    payload jsonb not null,
    primary key (channel, exchange_time, id)
) partition by list (channel);
create index raw_of_instrument on {TABLE} (instrument_id, exchange_time);
""" + "".join(
    f"""
create table {TABLE}_{channel} partition of {TABLE} for values in ('{channel}')
partition by range (exchange_time);
"""
    for channel in CHANNELS
)
DROP = f"drop table {TABLE}; drop sequence {TABLE}_id_seq"

VIEW = """
create view marketdata_rawrow as select
    channel || '-' || (extract(epoch from exchange_time) * 1000)::bigint || '-' || id as id,
    exchange_time, received_at, instrument_id, channel, exchange, payload
from marketdata_rawmessage
"""


def add_policies(apps, schema_editor):
    policies = apps.get_model("marketdata", "RetentionPolicy").objects
    for what in (*CHANNELS, "trades"):
        policies.get_or_create(what=what)


class Migration(migrations.Migration):
    dependencies = [
        ("marketdata", "0004_checks"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE, DROP)],
            state_operations=[
                migrations.CreateModel(
                    name="RawMessage",
                    fields=[
                        ("exchange_time", models.DateTimeField()),
                        ("received_at", models.DateTimeField()),
                        (
                            "channel",
                            models.CharField(
                                choices=[
                                    ("tickers", "tickers"),
                                    ("books", "books"),
                                    ("candle_pushes", "candle_pushes"),
                                    ("status", "status"),
                                    ("instruments", "instruments"),
                                    ("balances", "balances"),
                                ],
                                max_length=16,
                            ),
                        ),
                        ("exchange", models.CharField(max_length=32)),
                        ("payload", models.JSONField()),
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "channel",
                                "exchange_time",
                                "id",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("id", models.BigIntegerField(help_text="From the table's own sequence.")),
                        (
                            "instrument",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                to="marketdata.instrument",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                fields=["instrument", "exchange_time"], name="raw_of_instrument"
                            )
                        ],
                    },
                ),
            ],
        ),
        migrations.RunSQL(VIEW, "drop view marketdata_rawrow"),
        migrations.CreateModel(
            name="RawRow",
            fields=[
                ("exchange_time", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("tickers", "tickers"),
                            ("books", "books"),
                            ("candle_pushes", "candle_pushes"),
                            ("status", "status"),
                            ("instruments", "instruments"),
                            ("balances", "balances"),
                        ],
                        max_length=16,
                    ),
                ),
                ("exchange", models.CharField(max_length=32)),
                ("payload", models.JSONField()),
                ("id", models.TextField(primary_key=True, serialize=False)),
            ],
            options={
                "verbose_name": "raw message",
                "ordering": ("-channel", "-exchange_time", "-id"),
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="RetentionPolicy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "what",
                    models.CharField(
                        choices=[
                            ("tickers", "tickers"),
                            ("books", "books"),
                            ("candle_pushes", "candle_pushes"),
                            ("status", "status"),
                            ("instruments", "instruments"),
                            ("balances", "balances"),
                            ("trades", "trades"),
                        ],
                        editable=False,
                        max_length=16,
                        unique=True,
                    ),
                ),
                (
                    "keep_days",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Whole UTC days; 0: for ever. Empty: TCPD_RETENTION_DAYS.",
                        null=True,
                    ),
                ),
                (
                    "archive",
                    models.BooleanField(
                        blank=True,
                        help_text="Written to a file first. Unknown: TCPD_RETENTION_ARCHIVED.",
                        null=True,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "retention policies",
                "ordering": ("what",),
            },
        ),
        migrations.CreateModel(
            name="ExchangeCredential",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("label", models.CharField(max_length=64, unique=True)),
                ("exchange", models.CharField(max_length=32)),
                ("api_key", tcpdashboard.common.fields.EncryptedTextField()),
                ("secret", tcpdashboard.common.fields.EncryptedTextField()),
                ("passphrase", tcpdashboard.common.fields.EncryptedTextField()),
                (
                    "is_demo",
                    models.BooleanField(
                        default=False,
                        help_text="Made for the exchange's simulated trading.",
                        verbose_name="demo",
                    ),
                ),
                (
                    "is_enabled",
                    models.BooleanField(
                        default=True,
                        help_text="Its balances are collected. One for each exchange.",
                        verbose_name="enabled",
                    ),
                ),
                (
                    "saved_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "ordering": ("exchange", "label"),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_enabled", True)),
                        fields=("exchange",),
                        name="credential_one_enabled",
                        violation_error_message="Another credential of this exchange is enabled.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Archive",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "what",
                    models.CharField(
                        choices=[
                            ("tickers", "tickers"),
                            ("books", "books"),
                            ("candle_pushes", "candle_pushes"),
                            ("status", "status"),
                            ("instruments", "instruments"),
                            ("balances", "balances"),
                            ("trades", "trades"),
                        ],
                        max_length=16,
                    ),
                ),
                ("day", models.DateField()),
                (
                    "name",
                    models.CharField(
                        help_text="Within the archives' storage.", max_length=200, unique=True
                    ),
                ),
                ("rows", models.BigIntegerField()),
                ("bytes", models.BigIntegerField(help_text="Of the compressed file.")),
                (
                    "sha256",
                    models.CharField(help_text="Of the uncompressed content.", max_length=64),
                ),
                (
                    "through",
                    models.DateTimeField(help_text="Rows received later are not in it.", null=True),
                ),
                (
                    "made_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "dropped_at",
                    models.DateTimeField(
                        help_text="When its rows were gone from the database.", null=True
                    ),
                ),
                (
                    "instrument",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="archives",
                        to="marketdata.instrument",
                    ),
                ),
            ],
            options={
                "ordering": ("-day", "what"),
                "indexes": [
                    models.Index(
                        condition=models.Q(("dropped_at", None)),
                        fields=["what", "instrument", "day"],
                        name="archive_unfinished",
                    )
                ],
            },
        ),
        migrations.RunPython(add_policies, migrations.RunPython.noop),
    ]
