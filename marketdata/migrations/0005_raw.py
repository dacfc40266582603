from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("marketdata", "0004_checks"),
    ]

    operations = []
