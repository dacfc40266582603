"""The versions of candle days: what every cache of candles is keyed by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from django.db import connection

from marketdata.domain.records import Candles
from marketdata.domain.timeframe import DAY_MS, Timeframe
from marketdata.models import Instrument, from_ms

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_BUMP = """
insert into marketdata_candleday
    (instrument_id, timeframe, day, version, hashed_version, rows, complete, fingerprint)
select %s, timeframe, date '1970-01-01' + day, 1, 0, 0, 0, ''
from unnest(%s::smallint[], %s::int[]) as touched (timeframe, day) order by 1, 2, 3
on conflict (instrument_id, timeframe, day)
do update set version = marketdata_candleday.version + 1
"""

_VERSIONS = """
select day - date '1970-01-01', version, hashed_version, fingerprint from marketdata_candleday
where instrument_id = %s and timeframe = %s and day between %s and %s order by day
"""


def bump_days(
    cursor: CursorWrapper, instrument_id: int, written: Iterable[tuple[Timeframe, Candles]]
) -> None:
    """Raise the version of every day in which candles were written."""
    timeframes: list[int] = []
    days: list[int] = []
    for timeframe, candles in written:
        day = candles["open_time_ms"] // DAY_MS
        touched = day[np.append(True, day[1:] != day[:-1])[: len(day)]].tolist()
        timeframes += [timeframe.minutes] * len(touched)
        days += touched
    if days:
        cursor.execute(_BUMP, [instrument_id, timeframes, days])


def day_versions(
    instrument: Instrument, timeframe: Timeframe, start_ms: int, end_ms: int
) -> dict[int, int]:
    """Return the version of every stored day that touches [start_ms, end_ms).

    Keyed by the day's first millisecond. Candles of the range changed if and only if this did.
    """
    with connection.cursor() as cursor:
        rows = select_days(cursor, instrument, timeframe, start_ms, end_ms)
    return {day * DAY_MS: version for day, version, *_ in rows}


def select_days(
    cursor: CursorWrapper, instrument: Instrument, timeframe: Timeframe, start_ms: int, end_ms: int
) -> list[tuple[int, int, int, bytes]]:
    """Return day number, version, hashed version and fingerprint of the stored days, in order."""
    first, last = from_ms(start_ms).date(), from_ms(max(start_ms, end_ms - 1)).date()
    cursor.execute(_VERSIONS, [instrument.pk, timeframe.minutes, first, last])
    return list(cursor.fetchall())
