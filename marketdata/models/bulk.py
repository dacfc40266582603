"""The bulk tables: written by `storage` with COPY, never row by row."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from marketdata.domain.records import Side, Source
from marketdata.domain.timeframe import Timeframe
from marketdata.models.instruments import Instrument

TIMEFRAME_CHOICES = [(timeframe.minutes, timeframe.value) for timeframe in Timeframe]
SOURCE_CHOICES = [(source.value, source.name.lower()) for source in Source]
SIDE_CHOICES = [(side.value, side.name.lower()) for side in Side]

# The bulk tables below refer to instruments without a constraint, which would halve their writes,
# and without an index of its own, which would cost a third: every primary key begins with it.


class TradeColumns(models.Model):
    """The columns of a trade."""

    executed_at = models.DateTimeField()
    trade_id = models.BigIntegerField()
    price = models.FloatField()
    size = models.FloatField(help_text="Base currency for spot, contracts for swaps.")
    received_at = models.DateTimeField(db_default=Now())
    count = models.IntegerField(default=1)
    instrument = models.ForeignKey(
        Instrument, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    side = models.SmallIntegerField(choices=SIDE_CHOICES)

    class Meta:
        abstract = True


class Trade(TradeColumns):
    """One row of the exchange's tape. `trade_id` is the last of `count` merged matches."""

    pk = models.CompositePrimaryKey("instrument", "executed_at", "trade_id")


class Opening(models.Model):
    """The first trade of a minute as it was first known; what bots fill from."""

    pk = models.CompositePrimaryKey("instrument", "open_time")
    open_time = models.DateTimeField()
    price = models.FloatField()
    trade_id = models.BigIntegerField()
    executed_at = models.DateTimeField()
    committed_at = models.DateTimeField(db_default=Now())
    instrument = models.ForeignKey(
        Instrument, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )


class CandleColumns(models.Model):
    """The columns of a candle."""

    open_time = models.DateTimeField()
    open = models.FloatField()
    high = models.FloatField()
    low = models.FloatField()
    close = models.FloatField()
    volume = models.FloatField(help_text="Base currency.")
    quote_volume = models.FloatField()
    trade_count = models.BigIntegerField(help_text="-1: unknown.")
    first_trade_id = models.BigIntegerField(help_text="-1: unknown.")
    last_trade_id = models.BigIntegerField(help_text="-1: unknown.")
    closed_at = models.DateTimeField()
    instrument = models.ForeignKey(
        Instrument, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    revision = models.IntegerField(default=0)
    timeframe = models.SmallIntegerField(choices=TIMEFRAME_CHOICES, help_text="Length in minutes.")
    minutes = models.SmallIntegerField(help_text="Whole minutes present.")
    source = models.SmallIntegerField(choices=SOURCE_CHOICES)

    class Meta:
        abstract = True


class Candle(CandleColumns):
    """One closed candle. Fixed-width columns without NULL: a binary COPY reads into NumPy."""

    pk = models.CompositePrimaryKey("instrument", "timeframe", "open_time")

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(low__lte=models.F("open"))
                & models.Q(low__lte=models.F("close"))
                & models.Q(high__gte=models.F("open"))
                & models.Q(high__gte=models.F("close"))
                & models.Q(volume__gte=0),
                name="candle_shape",
            ),
        )


class CandleDay(models.Model):
    """One UTC day of candles: the version every cache is keyed by, the fingerprint and the counts.

    Any write of a candle raises `version` in its transaction. The fingerprint is true while
    `hashed_version` equals `version`, the counts while `counted_version` does; both are computed
    again when next asked for.
    """

    pk = models.CompositePrimaryKey("instrument", "timeframe", "day")
    day = models.DateField()
    version = models.BigIntegerField(default=1)
    hashed_version = models.BigIntegerField(default=0)
    counted_version = models.BigIntegerField(db_default=0)
    rows = models.IntegerField(default=0)
    complete = models.IntegerField(default=0, help_text="Candles with all their minutes.")
    by_trades = models.IntegerField(db_default=0, help_text="Of the complete ones, by source.")
    by_exchange = models.IntegerField(db_default=0)
    by_import = models.IntegerField(db_default=0)
    flat = models.IntegerField(db_default=0)
    revised = models.IntegerField(
        db_default=0, help_text="Candles that were changed or inserted after they were closed."
    )
    fingerprint = models.BinaryField(max_length=32, default=b"")
    scanned_version = models.BigIntegerField(
        db_default=0, help_text="The version at which the day was last looked through for gaps."
    )
    instrument = models.ForeignKey(
        Instrument, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    timeframe = models.SmallIntegerField(choices=TIMEFRAME_CHOICES, help_text="Length in minutes.")

    class Meta:
        indexes = (
            models.Index(
                fields=("instrument", "day"),
                condition=~models.Q(version=models.F("scanned_version")),
                name="candleday_to_scan",
            ),
        )


class RevisionColumns(models.Model):
    """The columns of a revision."""

    open_time = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    open = models.FloatField(null=True)
    high = models.FloatField(null=True)
    low = models.FloatField(null=True)
    close = models.FloatField(null=True)
    volume = models.FloatField(null=True)
    quote_volume = models.FloatField(null=True)
    trade_count = models.BigIntegerField(null=True)
    instrument = models.ForeignKey(
        Instrument, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    revision = models.IntegerField()
    timeframe = models.SmallIntegerField(choices=TIMEFRAME_CHOICES, help_text="Length in minutes.")
    minutes = models.SmallIntegerField(null=True)
    source = models.SmallIntegerField(null=True, choices=SOURCE_CHOICES)
    reason = models.CharField(max_length=64)
    new_open = models.FloatField(null=True)
    new_high = models.FloatField(null=True)
    new_low = models.FloatField(null=True)
    new_close = models.FloatField(null=True)
    new_volume = models.FloatField(null=True)
    new_quote_volume = models.FloatField(null=True)
    new_trade_count = models.BigIntegerField(null=True)
    new_minutes = models.SmallIntegerField(null=True)
    new_source = models.SmallIntegerField(null=True, choices=SOURCE_CHOICES)

    class Meta:
        abstract = True


class CandleRevision(RevisionColumns):
    """A closed candle was changed, from what it said until then to what it says since.

    `revision` is the candle's number after the change. Of one that was inserted late all old
    values are null. New ones are null where an older version of this program wrote the row.
    """

    pk = models.CompositePrimaryKey("instrument", "timeframe", "open_time", "revision")
