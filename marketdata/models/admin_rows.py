"""The bulk tables as the admin sees them: through views with a text key, read only."""

from __future__ import annotations

from django.db import models

from marketdata.models.bulk import CandleColumns, RevisionColumns, TradeColumns
from marketdata.models.raw import RawColumns


class CandleRow(CandleColumns):
    """A candle; the key is instrument-timeframe-milliseconds."""

    id = models.TextField(primary_key=True)

    class Meta:
        managed = False
        verbose_name = "candle"
        ordering = ("-instrument_id", "-timeframe", "-open_time")

    def __str__(self) -> str:
        return self.id


class TradeRow(TradeColumns):
    """A trade; the key is instrument-milliseconds-trade id."""

    id = models.TextField(primary_key=True)

    class Meta:
        managed = False
        verbose_name = "trade"
        ordering = ("-instrument_id", "-executed_at", "-trade_id")

    def __str__(self) -> str:
        return self.id


class RevisionRow(RevisionColumns):
    """A revision of a candle; the key is instrument-timeframe-milliseconds-revision."""

    id = models.TextField(primary_key=True)

    class Meta:
        managed = False
        verbose_name = "candle revision"
        ordering = ("-instrument_id", "-timeframe", "-open_time", "-revision")

    def __str__(self) -> str:
        return self.id


class RawRow(RawColumns):
    """A raw message; the key is channel-milliseconds-number."""

    id = models.TextField(primary_key=True)

    class Meta:
        managed = False
        verbose_name = "raw message"
        ordering = ("-channel", "-exchange_time", "-id")

    def __str__(self) -> str:
        return self.id
