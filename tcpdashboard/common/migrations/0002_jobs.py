from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("common", "0001_alerts"),
    ]

    operations = []
