"""Whole UTC days of trades that leave the tape: the oldest first, and only what nobody needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction
from django.db.models import Q
from psycopg2 import sql

from marketdata.domain.timeframe import DAY_MS, MINUTE_MS
from marketdata.models import (
    CandleConflict,
    DataGap,
    GapState,
    Instrument,
    TapeScan,
    from_ms,
    to_ms,
)
from marketdata.storage.locks import lock_instrument

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

BATCH_ROWS: Final = 5_000
"""About so many trades go in one transaction: a few milliseconds that ingest may wait for it."""

HELD_DAYS: Final = 100
"""Exchanges serve trades for about three months: a day older than this cannot be repaired."""

_OLDEST: Final = """
select executed_at from marketdata_trade where instrument_id = %s
order by executed_at limit 1
"""
_COUNT: Final = """
select count(*) from marketdata_trade
where instrument_id = %s and executed_at >= %s and executed_at < %s
"""
_BOUNDARY: Final = """
select executed_at from marketdata_trade
where instrument_id = %s and executed_at >= %s and executed_at < %s
order by executed_at, trade_id offset %s limit 1
"""
_DELETE: Final = """
delete from marketdata_trade
where instrument_id = %s and executed_at >= %s and executed_at < %s and received_at <= %s
"""
_UNVERIFIED: Final = """
select (
    select count(*) from marketdata_candle
    where instrument_id = %(id)s and timeframe = 1 and open_time >= %(start)s
        and open_time < %(end)s and source = 0 and minutes = 1
) - coalesce((
    select bit_count(verified) + bit_count(differs) from marketdata_candlecheck
    where instrument_id = %(id)s and day = %(day)s
), 0) > 0
"""
_ROWS: Final = (
    "select i.exchange, i.symbol, t.executed_at, t.trade_id, t.price, t.size, t.count, t.side,"
    " t.received_at from marketdata_trade t join marketdata_instrument i on i.id = t.instrument_id"
    " where t.instrument_id = {instrument} and t.executed_at >= {start} and t.executed_at < {end}"
    " and t.received_at <= {through} order by t.executed_at, t.trade_id"
)


@dataclass(frozen=True, slots=True)
class TradeDay:
    """One instrument's UTC day of trades."""

    instrument: Instrument
    start_ms: int

    @property
    def end_ms(self) -> int:
        """Where the next day begins."""
        return self.start_ms + DAY_MS

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The day as datetimes, the end not included."""
        return from_ms(self.start_ms), from_ms(self.end_ms)


def oldest_day(instrument: Instrument) -> TradeDay | None:
    """Return the first day with trades."""
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST, [instrument.pk])
        found = cursor.fetchone()
    if found is None:
        return None
    oldest_ms = to_ms(found[0])
    return TradeDay(instrument, oldest_ms - oldest_ms % DAY_MS)


def count_trades(instrument: Instrument, start_ms: int, end_ms: int) -> int:
    """Return the number of stored trades of [start_ms, end_ms)."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [instrument.pk, from_ms(start_ms), from_ms(end_ms)])
        return int(cursor.fetchone()[0])


def reason_to_stay(day: TradeDay, now_ms: int) -> str | None:
    """Return why a day's trades are still needed, or None; nothing older than 100 days is."""
    if day.end_ms <= now_ms - HELD_DAYS * DAY_MS:
        return None
    instrument, (start, end) = day.instrument, day.span
    around = {
        "start__lt": from_ms(day.end_ms + MINUTE_MS),
        "end__gt": from_ms(day.start_ms - MINUTE_MS),
    }
    repairable = Q(state__in=(GapState.OPEN, GapState.REPAIRING))
    if DataGap.objects.filter(repairable, instrument=instrument, **around).exists():
        return "a gap of it is not repaired"
    if CandleConflict.objects.filter(
        instrument=instrument, state="open", open_time__gte=start, open_time__lt=end
    ).exists():
        return "a candle of it differs from the exchange's"
    return _unfinished(day) if instrument.is_enabled else None


def delete_some(day: TradeDay, start_ms: int, through: datetime) -> int | None:
    """Delete about 5,000 of a day's trades, from `start_ms` on, that were received by `through`.

    Returns where to go on, in UTC milliseconds; None after the last.
    """
    key, end = day.instrument.pk, from_ms(day.end_ms)
    with transaction.atomic(), connection.cursor() as cursor:
        lock_instrument(cursor, key)
        start = from_ms(start_ms)
        cursor.execute(_BOUNDARY, [key, start, end, BATCH_ROWS])
        found = cursor.fetchone()
        next_ms = None if found is None else max(to_ms(found[0]), start_ms + 1)
        until = end if next_ms is None else from_ms(next_ms)
        cursor.execute(_DELETE, [key, start, until, through])
    return next_ms


def archive_query(day: TradeDay, through: datetime) -> sql.Composed:
    """Return the query of a day's trades for an archive."""
    start, end = day.span
    return sql.SQL(_ROWS).format(
        instrument=sql.Literal(day.instrument.pk),
        start=sql.Literal(start),
        end=sql.Literal(end),
        through=sql.Literal(through),
    )


def count_received(cursor: CursorWrapper, day: TradeDay, through: datetime) -> int:
    """Return the number of a day's trades that were received by `through`."""
    cursor.execute(f"{_COUNT} and received_at <= %s", [day.instrument.pk, *day.span, through])
    return int(cursor.fetchone()[0])


def _unfinished(day: TradeDay) -> str | None:
    instrument, (start, end) = day.instrument, day.span
    scanned = TapeScan.objects.filter(instrument=instrument, executed_at__gte=end)
    if instrument.id_rule_suspended_at is None and not scanned.exists():
        return "its trade ids are not looked through yet"
    with connection.cursor() as cursor:
        values: dict[str, Any] = {"id": instrument.pk, "start": start, "end": end}
        cursor.execute(_UNVERIFIED, values | {"day": start.date()})
        is_unverified = bool(cursor.fetchone()[0])
    return "minutes of it are not compared with the exchange's yet" if is_unverified else None
