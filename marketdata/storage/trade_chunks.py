"""Whole days of trades that leave the tape at once, where it is a hypertable."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.db import connection

from marketdata.models import Instrument, Trade, to_ms
from marketdata.storage.timescale import Chunk, chunks, is_hypertable
from marketdata.storage.trade_days import TradeDay

TABLE: Final = "marketdata_trade"


def drop_trade_chunks(until: datetime, is_needed: Callable[[TradeDay], bool]) -> int:
    """Drop the days of trades before `until`, the oldest first, and return how many.

    Ends at the first day of which some instrument's trades are needed. A day is one chunk: its
    files go, whatever their size. On plain tables there are no chunks, and nothing happens.
    """
    dropped = 0
    if is_hypertable(TABLE):
        for chunk in chunks(TABLE):
            if chunk.end > until or any(map(is_needed, _days(chunk))):
                break
            _drop(chunk)
            dropped += 1
    return dropped


def _days(chunk: Chunk) -> list[TradeDay]:
    """Return the days of the instruments that have trades in a chunk."""
    during = {"executed_at__gte": chunk.start, "executed_at__lt": chunk.end}
    return [
        TradeDay(instrument, to_ms(chunk.start))
        for instrument in Instrument.objects.all()
        if Trade.objects.filter(instrument=instrument, **during).exists()
    ]


def _drop(chunk: Chunk) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "select drop_chunks(%s, older_than => %s, newer_than => %s)",
            [TABLE, chunk.end, chunk.start],
        )
