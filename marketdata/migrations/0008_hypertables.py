"""Candles, trades and raw messages as hypertables, where TimescaleDB is in the database.

Tables that hold rows already stay as they are: `manage.py convert_to_timescale` converts them, in
steps that can be seen and gone on with.
"""

from django.db import migrations

from marketdata.storage.converting import convert, is_empty
from marketdata.storage.hypertables import HYPERTABLES
from marketdata.storage.timescale import why_not_used


def make_hypertables(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        if why_not_used(cursor) is not None:
            return
    for hypertable in HYPERTABLES:
        if is_empty(hypertable):
            list(convert(hypertable))
        else:
            print(  # noqa: T201 - to who runs the migration
                f" {hypertable.table} holds rows and stays a plain table:"
                " run manage.py convert_to_timescale",
                end="",
            )


class Migration(migrations.Migration):
    dependencies = [
        ("marketdata", "0007_timescale"),
    ]

    operations = [
        migrations.RunPython(make_hypertables, migrations.RunPython.noop),
    ]
