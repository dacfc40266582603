from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("marketdata", "0005_raw"),
    ]

    operations = []
