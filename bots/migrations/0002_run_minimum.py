"""Runs keep the smallest order that they began with, those that are there that of today."""

from django.db import migrations, models

_OF_TODAY = """
update bots_botrun as run set min_size = instrument.min_size
from marketdata_instrument as instrument where instrument.id = run.instrument_id
"""


class Migration(migrations.Migration):
    dependencies = [("bots", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="botrun",
            name="min_size",
            field=models.DecimalField(
                decimal_places=16,
                default=0,
                help_text="The smallest order at its start, in the unit of sizes.",
                max_digits=28,
            ),
            preserve_default=False,
        ),
        migrations.RunSQL(_OF_TODAY, migrations.RunSQL.noop),
    ]
