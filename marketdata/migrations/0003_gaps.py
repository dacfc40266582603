from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("marketdata", "0002_admin_views"),
    ]

    operations = []
