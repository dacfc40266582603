"""The extension TimescaleDB, where the server has it and TCPD_TIMESCALE lets it be used.

By itself: an extension whose creation is rolled back cannot be loaded by that session again.
"""

from django.conf import settings
from django.db import migrations

from marketdata.storage.timescale import timescale


def create_extension(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        why_not = timescale(cursor).why_not(settings.TIMESCALE)
        if why_not is None:
            cursor.execute("create extension if not exists timescaledb")
        elif settings.TIMESCALE == "on":
            raise RuntimeError(f"TCPD_TIMESCALE is on, but {why_not}")


class Migration(migrations.Migration):
    dependencies = [
        ("marketdata", "0006_supervision"),
    ]

    operations = [
        # It may serve others in the same database, so that going back leaves it.
        migrations.RunPython(create_extension, migrations.RunPython.noop),
    ]
