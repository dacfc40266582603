"""The tables of market data. Bulk tables are written by `storage` with COPY, never row by row."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models.functions import Now

from marketdata.domain.records import InstrumentSpec, Source
from marketdata.domain.timeframe import Timeframe

TIMEFRAME_CHOICES = [(timeframe.value, timeframe.value) for timeframe in Timeframe]
SOURCE_CHOICES = [(source.value, source.name.lower()) for source in Source]


class InstrumentQuerySet(models.QuerySet["Instrument"]):
    def named(self, exchange: str, symbol: str) -> Instrument:
        """Return the instrument, or raise Instrument.DoesNotExist naming what was asked."""
        try:
            return self.get(exchange=exchange, symbol=symbol)
        except self.model.DoesNotExist:
            raise self.model.DoesNotExist(
                f"no instrument {symbol!r} is known on {exchange!r}"
            ) from None

    def enabled(self) -> InstrumentQuerySet:
        return self.filter(is_enabled=True)


class Instrument(models.Model):
    """Something that is traded on one exchange."""

    class Kind(models.TextChoices):
        SPOT = "spot"
        SWAP = "swap"

    exchange = models.CharField(max_length=32)
    symbol = models.CharField(max_length=64)
    kind = models.CharField(max_length=8, choices=Kind)
    base = models.CharField(max_length=16)
    quote = models.CharField(max_length=16)
    tick_size = models.DecimalField(max_digits=28, decimal_places=16)
    lot_size = models.DecimalField(max_digits=28, decimal_places=16)
    min_size = models.DecimalField(max_digits=28, decimal_places=16)
    contract_value = models.DecimalField(
        max_digits=28,
        decimal_places=16,
        default=Decimal(1),
        help_text="Base currency in one unit of size: 1 for spot.",
    )
    state = models.CharField(max_length=16, default="live")
    listed_at = models.DateTimeField(null=True, blank=True)
    is_enabled = models.BooleanField(
        default=False, help_text="Collected live, with its history loaded."
    )
    collector = models.ForeignKey(
        "Collector", null=True, blank=True, on_delete=models.SET_NULL, related_name="instruments"
    )
    history_loaded_at = models.DateTimeField(null=True, blank=True)

    objects = InstrumentQuerySet.as_manager()

    class Meta:
        ordering = ("exchange", "symbol")
        constraints = (
            models.UniqueConstraint(fields=("exchange", "symbol"), name="instrument_unique"),
            models.CheckConstraint(
                condition=models.Q(tick_size__gt=0, lot_size__gt=0, contract_value__gt=0),
                name="instrument_sizes_positive",
            ),
        )

    def __str__(self) -> str:
        return f"{self.exchange}:{self.symbol}"

    @property
    def spec(self) -> InstrumentSpec:
        """What the domain's arithmetic needs of this row."""
        return InstrumentSpec(
            symbol=self.symbol,
            tick_size=Decimal(self.tick_size).normalize(),
            lot_size=Decimal(self.lot_size).normalize(),
            contract_value=Decimal(self.contract_value).normalize(),
        )


# The bulk tables below refer to instruments without a constraint, which would halve their writes,
# and without an index of its own, which would cost a third: every primary key begins with it.


class Trade(models.Model):
    """One row of the exchange's tape. `trade_id` is the last of `count` merged matches."""

    pk = models.CompositePrimaryKey("instrument", "executed_at", "trade_id")
    executed_at = models.DateTimeField()
    trade_id = models.BigIntegerField()
    price = models.FloatField()
    size = models.FloatField(help_text="Base currency for spot, contracts for swaps.")
    received_at = models.DateTimeField(db_default=Now())
    count = models.IntegerField(default=1)
    instrument = models.ForeignKey(
        Instrument, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    side = models.SmallIntegerField(choices=[(1, "buy"), (-1, "sell")])


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


class Candle(models.Model):
    """One closed candle. Fixed-width columns without NULL: a binary COPY reads into NumPy."""

    pk = models.CompositePrimaryKey("instrument", "timeframe", "open_time")
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
    timeframe = models.SmallIntegerField(help_text="Length in minutes.")
    minutes = models.SmallIntegerField(help_text="Whole minutes present.")
    source = models.SmallIntegerField(choices=SOURCE_CHOICES)

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
    """One UTC day of candles: the version every cache is keyed by, and the fingerprint.

    Any write of a candle raises `version` in its transaction. Rows, complete and fingerprint are
    true while `hashed_version` equals `version`; they are computed again when next asked for.
    """

    pk = models.CompositePrimaryKey("instrument", "timeframe", "day")
    day = models.DateField()
    version = models.BigIntegerField(default=1)
    hashed_version = models.BigIntegerField(default=0)
    rows = models.IntegerField(default=0)
    complete = models.IntegerField(default=0)
    fingerprint = models.BinaryField(max_length=32, default=b"")
    instrument = models.ForeignKey(
        Instrument, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    timeframe = models.SmallIntegerField(help_text="Length in minutes.")


class CandleRevision(models.Model):
    """A closed candle was changed: what it said until then; or inserted late, then all is null.

    `revision` is the candle's number after the change. What it said after it is in the row of
    the next revision, or in the candle itself.
    """

    pk = models.CompositePrimaryKey("instrument", "timeframe", "open_time", "revision")
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
    timeframe = models.SmallIntegerField(help_text="Length in minutes.")
    minutes = models.SmallIntegerField(null=True)
    source = models.SmallIntegerField(null=True, choices=SOURCE_CHOICES)
    reason = models.CharField(max_length=64)


class DataGap(models.Model):
    """A stretch of trades that is missing, and what became of it."""

    class State(models.TextChoices):
        OPEN = "open"
        REPAIRED = "repaired"
        UNREPAIRABLE = "unrepairable"

    class Cause(models.TextChoices):
        RESTART = "restart"
        OUTAGE = "outage"
        LOSS = "loss"

    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="gaps")
    first_trade_id = models.BigIntegerField()
    last_trade_id = models.BigIntegerField()
    start = models.DateTimeField(help_text="Time of the last trade before the gap.")
    end = models.DateTimeField(help_text="Time of the first trade after the gap.")
    cause = models.CharField(max_length=16, choices=Cause)
    state = models.CharField(max_length=16, choices=State, default=State.OPEN)
    reason = models.TextField(blank=True)
    opened_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("instrument", "first_trade_id", "last_trade_id"), name="gap_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(last_trade_id__gte=models.F("first_trade_id")),
                name="gap_not_empty",
            ),
        )


class Collector(models.Model):
    """A long-lived collection of one exchange: what it should do, who does it, how it is."""

    class Desired(models.TextChoices):
        RUNNING = "running"
        STOPPED = "stopped"

    class State(models.TextChoices):
        STOPPED = "stopped"
        STARTING = "starting"
        LIVE = "live"
        DEGRADED = "degraded"
        FAILED = "failed"

    name = models.CharField(max_length=64, unique=True)
    exchange = models.CharField(max_length=32)
    desired = models.CharField(max_length=8, choices=Desired, default=Desired.RUNNING)
    state = models.CharField(max_length=10, choices=State, default=State.STOPPED)
    lease_owner = models.CharField(max_length=128, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    fencing_token = models.BigIntegerField(
        default=0, help_text="Raised at every take-over; checked first in every write."
    )
    restart_requested_at = models.DateTimeField(null=True, blank=True)
    requested_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    exchange_time = models.DateTimeField(
        null=True, blank=True, help_text="The newest event time delivered."
    )
    counters: models.JSONField[Any, Any] = models.JSONField(default=dict, blank=True)
    last_error = models.TextField(blank=True)
    last_error_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


def from_ms(time_ms: int) -> datetime:
    """Return UTC milliseconds as an aware datetime: the one conversion at Django's edge."""
    return datetime.fromtimestamp(time_ms // 1000, tz=UTC).replace(
        microsecond=time_ms % 1000 * 1000
    )


def to_ms(time: datetime) -> int:
    """Return an aware datetime as UTC milliseconds."""
    return int(time.timestamp()) * 1000 + time.microsecond // 1000
