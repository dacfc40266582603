"""A revision says what a candle was changed to, too."""

from importlib import import_module

from django.db import migrations, models

_views = import_module("marketdata.migrations.0002_admin_views")
_KEY = ("instrument_id", "timeframe", _views.milliseconds("open_time"), "revision")
_VIEW = _views.view("marketdata_revisionrow", "marketdata_candlerevision", *_KEY)
_SOURCES = [(0, "trades"), (1, "exchange"), (2, "imported"), (3, "flat")]
_FIELDS = {
    **{
        f"new_{name}": models.FloatField(null=True)
        for name in ("open", "high", "low", "close", "volume", "quote_volume")
    },
    "new_trade_count": models.BigIntegerField(null=True),
    "new_minutes": models.SmallIntegerField(null=True),
    "new_source": models.SmallIntegerField(choices=_SOURCES, null=True),
}


class Migration(migrations.Migration):
    dependencies = [("marketdata", "0009_merged_trades")]

    operations = [
        migrations.RunSQL(_VIEW.reverse_sql, _VIEW.sql),
        *(
            migrations.AddField(model, name, field.clone())
            for model in ("candlerevision", "revisionrow")
            for name, field in _FIELDS.items()
        ),
        migrations.RunSQL(_VIEW.sql, _VIEW.reverse_sql),
    ]
