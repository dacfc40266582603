"""The minutes of an instrument as they are stored, and the exchange's clock."""

from __future__ import annotations

from typing import Final

from django.db import connection

from bots.domain.timeline import StoredMinutes
from marketdata.domain.columns import CandleColumns
from marketdata.domain.timeframe import Timeframe
from marketdata.models import DataGap, Instrument, from_ms, to_ms
from marketdata.models.gaps import GapState
from marketdata.storage import read_candles

_OPENINGS: Final = """
select (extract(epoch from open_time) * 1000)::bigint, price,
    (extract(epoch from executed_at) * 1000)::bigint
from marketdata_opening
where instrument_id = %s and open_time >= %s and open_time < %s order by open_time
"""
_CLOCK: Final = """
select (extract(epoch from max(exchange_time)) * 1000)::bigint
from marketdata_collector where exchange = %s
"""
_END: Final = """
select (extract(epoch from open_time) * 1000)::bigint from marketdata_candle
where instrument_id = %s and timeframe = 1 and open_time >= %s
order by open_time offset %s limit 1
"""
_LAST_TRADE: Final = """
select price from marketdata_trade where instrument_id = %s
order by executed_at desc, trade_id desc limit 1
"""
_REPAIRED: Final = (GapState.OPEN, GapState.REPAIRING)


def read_minutes(
    instrument: Instrument, start_ms: int, end_ms: int, openings_end_ms: int
) -> StoredMinutes:
    """Return the candles that open in [start_ms, end_ms), and first trades likewise."""
    # The openings last: a candle that was found has its own among them.
    candles = read_candles(instrument, Timeframe.M1, start_ms, end_ms)
    span = from_ms(start_ms), from_ms(openings_end_ms)
    with connection.cursor() as cursor:
        cursor.execute(_OPENINGS, [instrument.pk, *span])
        openings = cursor.fetchall()
    known = [time_ms for _, _, time_ms in openings[-1:]]
    known += candles["closed_at_ms"][-1:].tolist()
    return StoredMinutes(
        candles=CandleColumns.of(candles),
        revisions=candles["revision"].astype("int64"),
        openings={open_ms: price for open_ms, price, _ in openings},
        known_ms=max(known, default=0),
    )


def read_end(instrument: Instrument, start_ms: int, most: int) -> int | None:
    """Return the open time of the candle behind the first `most` since `start_ms`, if any."""
    with connection.cursor() as cursor:
        cursor.execute(_END, [instrument.pk, from_ms(start_ms), most])
        row = cursor.fetchone()
    return None if row is None else int(row[0])


def read_repairs(instrument: Instrument, start_ms: int) -> list[tuple[int, int]]:
    """Return the stretches since `start_ms`, from and to in ms, that are being repaired."""
    # Merged trades are all there: of what is missing they bring nothing.
    gaps = DataGap.objects.live().filter(
        instrument=instrument, state__in=_REPAIRED, end__gt=from_ms(start_ms)
    )
    return [(to_ms(start), to_ms(end)) for start, end in gaps.values_list("start", "end")]


def exchange_now_ms(exchange: str) -> int:
    """Return the newest event time delivered for an exchange, 0 when none ever was."""
    with connection.cursor() as cursor:
        cursor.execute(_CLOCK, [exchange])
        return int(cursor.fetchone()[0] or 0)


def last_price(instrument: Instrument) -> float | None:
    """Return the price of the newest stored trade; None when there is none."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST_TRADE, [instrument.pk])
        row = cursor.fetchone()
    return None if row is None else float(row[0])
