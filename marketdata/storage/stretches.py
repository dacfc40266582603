"""Stretches of an instrument that a replay reads, and the place it writes to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from django.db import connection

from marketdata.domain.events import Resume
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import (
    Candle,
    CandleCheck,
    CandleConflict,
    CandleDay,
    CandleRevision,
    DataGap,
    Instrument,
    Opening,
    from_ms,
    to_ms,
)
from marketdata.storage.candles import read_last_candles
from marketdata.storage.trade_days import delete_some, oldest_day

_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
_COPIED: Final = ("kind", "base", "quote", "tick_size", "lot_size", "min_size", "contract_value")

# Ids rise with time but for a few milliseconds: the newest is among the last rows.
_BEFORE: Final = """
select trade_id, executed_at from (
    select trade_id, executed_at from marketdata_trade
    where instrument_id = %s and executed_at < %s
    order by executed_at desc, trade_id desc limit 100
) as newest order by trade_id desc limit 1
"""
_FIRST: Final = """
select trade_id - count, executed_at from marketdata_trade
where instrument_id = %s and executed_at >= %s and executed_at < %s
order by executed_at, trade_id limit 1
"""


def stand_at(instrument: Instrument, start_ms: int, end_ms: int) -> Resume:
    """Return where a collection of [start_ms, end_ms) would have stood when it began.

    Where nothing was stored before, it begins in the minute of the first trade.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BEFORE, [instrument.pk, from_ms(start_ms)])
        before = cursor.fetchone()
        cursor.execute(_FIRST, [instrument.pk, from_ms(start_ms), from_ms(end_ms)])
        first = cursor.fetchone()
    if before is None and first is None:
        return Resume()
    trade_id, executed_at = before or first
    begin_ms = start_ms if before else Timeframe.M1.open_time(to_ms(executed_at))
    candles = read_last_candles(instrument, Timeframe.M1, 1, before_ms=start_ms)
    return Resume(
        last_trade_id=trade_id,
        last_trade_ms=to_ms(executed_at),
        last_close=float(candles["close"][0]) if len(candles) else None,
        last_closed_open_ms=begin_ms - MINUTE_MS,
    )


def open_place(instrument: Instrument, exchange: str) -> Instrument:
    """Return the same instrument under another exchange's name, with nothing stored of it.

    It is not enabled and has no collector: no sweep takes it up.
    """
    values = {name: getattr(instrument, name) for name in _COPIED}
    place, _ = Instrument.objects.update_or_create(
        exchange=exchange, symbol=instrument.symbol, defaults=values
    )
    _forget(place)
    return place


def _forget(instrument: Instrument) -> None:
    if instrument.is_enabled:
        raise ValueError(f"{instrument} is collected: what is stored of it stays")
    while (day := oldest_day(instrument)) is not None:
        next_ms: int | None = day.start_ms
        while next_ms is not None:
            next_ms = delete_some(day, next_ms, _EVER)
    for model in (Opening, Candle, CandleRevision, CandleDay, CandleCheck):
        model._default_manager.filter(instrument=instrument)._raw_delete("default")
    DataGap.objects.filter(instrument=instrument).delete()
    CandleConflict.objects.filter(instrument=instrument).delete()
