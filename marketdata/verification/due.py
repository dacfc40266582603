"""Which minutes the exchange is asked about next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
from django.db import connection
from django.db.models import F, Q
from django.db.models.functions import Now
from numpy.typing import NDArray

from marketdata.domain.checking import is_checkable
from marketdata.domain.timeframe import DAY_MS, Timeframe
from marketdata.models import CHECK_BYTES, CandleConflict, Instrument, from_ms
from marketdata.storage.bits import select_bits
from marketdata.storage.candles import select_candles
from marketdata.storage.counting import count_stale_days

_PAUSES: Final = (timedelta(minutes=2), timedelta(minutes=4))
ATTEMPTS: Final = 1 + len(_PAUSES)
"""So often the trades of a minute that differs are fetched again: at once and after each pause."""

DAYS_AT_ONCE: Final = 2_000

# A day of which the exchange told nothing new is asked for again after one minute, two, four,
# and so on to six hours.
_DAYS: Final = """
select day.instrument_id, day.day - date '1970-01-01'
from marketdata_candleday as day
left join marketdata_candlecheck as checked
    on checked.instrument_id = day.instrument_id and checked.day = day.day
where day.instrument_id = any(%s) and day.timeframe = 1
    and day.by_trades + day.flat
        > coalesce(bit_count(checked.verified) + bit_count(checked.differs), 0)
    and (checked.asked_at is null
        or checked.asked_at < now() - interval '1 minute' * least(power(2, checked.asks), 360))
order by day.day desc, day.instrument_id limit %s
"""

_ASKED: Final = """
insert into marketdata_candlecheck as kept
    (instrument_id, day, verified, differs, asked_at, asks)
values (%s, %s, %s, %s, now(), %s)
on conflict (instrument_id, day) do update set asked_at = now(),
    asks = case when excluded.asks = 0 then 0 else least(kept.asks + 1, 20) end
"""


@dataclass(frozen=True, slots=True)
class DueDay:
    """A UTC day (its number since 1970) in which a minute may not be verified."""

    instrument: Instrument
    day: int


def due_days(exchange: str) -> list[DueDay]:
    """Return the days to look at now, the newest first."""
    instruments = {one.pk: one for one in Instrument.objects.filter(exchange=exchange)}
    with connection.cursor() as cursor:
        count_stale_days(cursor, list(instruments), Timeframe.M1, DAYS_AT_ONCE)
        cursor.execute(_DAYS, [list(instruments), DAYS_AT_ONCE])
        return [DueDay(instruments[one], day) for one, day in cursor.fetchall()]


def unverified_minutes(due: DueDay, before_ms: int) -> NDArray[np.int64]:
    """Return the open times, before `before_ms`, of whole minutes built here and not compared."""
    instrument_id, start_ms = due.instrument.pk, due.day * DAY_MS
    end_ms = min(start_ms + DAY_MS, before_ms)
    if end_ms <= start_ms:
        return np.empty(0, dtype=np.int64)
    with connection.cursor() as cursor:
        stored = select_candles(cursor, instrument_id, Timeframe.M1, start_ms, end_ms)
        opens: NDArray[np.int64] = stored["open_time_ms"][is_checkable(stored)]
        bits = select_bits(cursor, instrument_id, start_ms, end_ms)
        place = bits.places(opens)
    return opens[~(bits.verified[place] | bits.differs[place])]


def note_asked(due: DueDay, *, is_answered: bool) -> None:
    """Remember that the exchange was asked for candles of the day, and whether it told all."""
    nothing = bytes(CHECK_BYTES)
    key = due.instrument.pk, from_ms(due.day * DAY_MS).date()
    with connection.cursor() as cursor:
        cursor.execute(_ASKED, [*key, nothing, nothing, 0 if is_answered else 1])


def due_conflicts(exchange: str, limit: int) -> list[CandleConflict]:
    """Return minutes that differ and whose trades are to be fetched again now.

    At once, then two minutes later, then four.
    """
    waits = Q(tried_at=None)
    for attempts, pause in enumerate(_PAUSES, 1):
        waits |= Q(attempts=attempts, tried_at__lt=Now() - pause)
    conflicts = CandleConflict.objects.filter(
        waits,
        instrument__exchange=exchange,
        kind=CandleConflict.Kind.EXCHANGE,
        state=CandleConflict.State.OPEN,
        attempts__lt=ATTEMPTS,
    )
    return list(conflicts.select_related("instrument").order_by("-found_at")[:limit])


def note_tried(conflict: CandleConflict) -> None:
    """Remember an attempt that left the minute as different as it was."""
    CandleConflict.objects.filter(pk=conflict.pk, state=CandleConflict.State.OPEN).update(
        attempts=F("attempts") + 1, tried_at=Now()
    )
