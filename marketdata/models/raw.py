"""Messages kept as they came, and how long what is kept stays."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now

from marketdata.domain.raw import RawChannel
from marketdata.models.instruments import Instrument

TRADES: Final = "trades"
KEPT_CHOICES: Final = [(channel.value, channel.value) for channel in RawChannel]
SHORTEST_TRADE_DAYS: Final = 7
"""Repairs and the comparison with the exchange's candles work on the trades of the last days."""


class RawColumns(models.Model):
    """The columns of a raw message."""

    exchange_time = models.DateTimeField()
    received_at = models.DateTimeField()
    instrument = models.ForeignKey(
        Instrument, null=True, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    channel = models.CharField(max_length=16, choices=KEPT_CHOICES)
    exchange = models.CharField(max_length=32)
    payload: models.JSONField[Any, Any] = models.JSONField()

    class Meta:
        abstract = True


class RawMessage(RawColumns):
    """One message as the exchange sent it; without an instrument where it is about none.

    Partitioned by channel and by UTC day of exchange time; written by `storage.raw` alone.
    """

    pk = models.CompositePrimaryKey("channel", "exchange_time", "id")
    id = models.BigIntegerField(help_text="From the table's own sequence.")

    class Meta:
        indexes = (models.Index(fields=("instrument", "exchange_time"), name="raw_of_instrument"),)


class RetentionPolicy(models.Model):
    """How long one kind of data stays; what is empty is as the settings say."""

    what = models.CharField(
        max_length=16, unique=True, choices=[*KEPT_CHOICES, (TRADES, TRADES)], editable=False
    )
    keep_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Whole UTC days; 0: for ever. Empty: TCPD_RETENTION_DAYS."
    )
    archive = models.BooleanField(
        null=True,
        blank=True,
        help_text="Written to a file first. Unknown: TCPD_RETENTION_ARCHIVED.",
    )

    class Meta:
        ordering = ("what",)
        verbose_name_plural = "retention policies"

    def __str__(self) -> str:
        return self.what

    def clean(self) -> None:
        if self.what == TRADES and 0 < (self.keep_days or 0) < SHORTEST_TRADE_DAYS:
            raise ValidationError(
                {"keep_days": f"expected at least {SHORTEST_TRADE_DAYS} days for trades, or 0"}
            )


class Archive(models.Model):
    """A file with what was taken out of the database."""

    what = models.CharField(max_length=16, choices=[*KEPT_CHOICES, (TRADES, TRADES)])
    instrument = models.ForeignKey(
        Instrument, null=True, on_delete=models.SET_NULL, related_name="archives"
    )
    day = models.DateField()
    name = models.CharField(max_length=200, unique=True, help_text="Within the archives' storage.")
    rows = models.BigIntegerField()
    bytes = models.BigIntegerField(help_text="Of the compressed file.")
    sha256 = models.CharField(max_length=64, help_text="Of the uncompressed content.")
    through = models.DateTimeField(null=True, help_text="Rows received later are not in it.")
    made_at = models.DateTimeField(db_default=Now())
    dropped_at = models.DateTimeField(
        null=True, help_text="When its rows were gone from the database."
    )

    class Meta:
        ordering = ("-day", "what")
        indexes = (
            models.Index(
                fields=("what", "instrument", "day"),
                name="archive_unfinished",
                condition=models.Q(dropped_at=None),
            ),
        )

    def __str__(self) -> str:
        return self.name
