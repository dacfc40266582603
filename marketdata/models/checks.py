"""What the exchange says of minutes that were built here, and where it says something else."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.db.models.functions import Now

from marketdata.domain.records import Source
from marketdata.models.bulk import SOURCE_CHOICES
from marketdata.models.instruments import Instrument

CHECK_BYTES: Final = 180
"""1,440 bits, one for each minute of a UTC day; the first minute is the lowest bit."""


class CandleCheck(models.Model):
    """One UTC day of 1m candles built here, held against the exchange's own, a bit a minute.

    A bit of `verified` is set while the stored candle equals the exchange's, one of `differs`
    while it does not and a CandleConflict keeps both. With neither the exchange's is not known.
    """

    pk = models.CompositePrimaryKey("instrument", "day")
    instrument = models.ForeignKey(
        Instrument, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    day = models.DateField()
    verified = models.BinaryField(max_length=CHECK_BYTES)
    differs = models.BinaryField(max_length=CHECK_BYTES)
    asked_at = models.DateTimeField(
        null=True, help_text="When the exchange was last asked for candles of this day."
    )
    asks = models.SmallIntegerField(db_default=0, help_text="Questions in a row without an answer.")


class CandleConflict(models.Model):
    """A 1m candle of which two sources say different things: both are kept.

    `ours` is the stored one as it was when this row last changed, `theirs` the other.
    """

    class Kind(models.TextChoices):
        EXCHANGE = "exchange", "differs from the exchange's"
        LOCKED = "locked", "refused by a lock"

    class State(models.TextChoices):
        OPEN = "open"
        SETTLED = "settled", "settled: both say the same now"
        KEPT = "kept", "kept: a person left ours as it is"

    instrument = models.ForeignKey(
        Instrument, on_delete=models.CASCADE, related_name="candle_conflicts"
    )
    open_time = models.DateTimeField()
    kind = models.CharField(max_length=8, choices=Kind)
    our_open = models.FloatField(null=True)
    our_high = models.FloatField(null=True)
    our_low = models.FloatField(null=True)
    our_close = models.FloatField(null=True)
    our_volume = models.FloatField(null=True)
    our_quote_volume = models.FloatField(null=True)
    their_open = models.FloatField()
    their_high = models.FloatField()
    their_low = models.FloatField()
    their_close = models.FloatField()
    their_volume = models.FloatField()
    their_quote_volume = models.FloatField(null=True, help_text="Empty where it was not told.")
    their_source = models.SmallIntegerField(choices=SOURCE_CHOICES, default=Source.EXCHANGE.value)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    found_at = models.DateTimeField(db_default=Now())
    attempts = models.SmallIntegerField(
        db_default=0, help_text="How often the minute's trades were fetched again."
    )
    tried_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    how = models.CharField(max_length=64, blank=True, db_default="")

    class Meta:
        ordering = ("-open_time",)
        constraints = (
            models.UniqueConstraint(
                fields=("instrument", "open_time", "kind"), name="conflict_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(state="open", settled_at=None)
                | (~models.Q(state="open") & models.Q(settled_at__isnull=False)),
                name="conflict_settled_at",
            ),
        )
        indexes = (
            models.Index(
                fields=("found_at",), name="conflict_open", condition=models.Q(state="open")
            ),
        )

    def __str__(self) -> str:
        return f"{self.instrument} {self.open_time:%Y-%m-%d %H:%M}"
