"""Fingerprints of candle days, kept until the day's version moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from django.db import connection

from marketdata.domain.fingerprint import combine, fingerprint
from marketdata.domain.timeframe import DAY_MS, Timeframe
from marketdata.models import Instrument, from_ms
from marketdata.storage.candles import select_candles
from marketdata.storage.days import select_days

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_HASHED = """
update marketdata_candleday set hashed_version = %s, rows = %s, complete = %s, fingerprint = %s
where instrument_id = %s and timeframe = %s and day = %s and version = %s
"""


def range_fingerprint(
    instrument: Instrument, timeframe: Timeframe, start_ms: int, end_ms: int
) -> bytes:
    """Return the fingerprint of the stored whole days that touch [start_ms, end_ms).

    Days are hashed again only when their version has moved since.
    """
    with connection.cursor() as cursor:
        return combine(
            [
                bytes(stored) if hashed == version else _hash(cursor, instrument, timeframe, day)
                for day, version, hashed, stored in select_days(
                    cursor, instrument, timeframe, start_ms, end_ms
                )
            ]
        )


def _hash(cursor: CursorWrapper, instrument: Instrument, timeframe: Timeframe, day: int) -> bytes:
    start_ms = day * DAY_MS
    while True:
        # The version first: if a write comes between, the update finds another one, and the
        # candles are read again.
        (_, version, _, _), *_ = select_days(
            cursor, instrument, timeframe, start_ms, start_ms + DAY_MS
        )
        candles = select_candles(cursor, instrument.pk, timeframe, start_ms, start_ms + DAY_MS)
        hashed = fingerprint(candles)
        complete = int(np.count_nonzero(candles["minutes"] == timeframe.minutes))
        figures = (version, len(candles), complete, hashed)
        key = (instrument.pk, timeframe.minutes, from_ms(start_ms).date(), version)
        cursor.execute(_HASHED, (*figures, *key))
        if cursor.rowcount:
            return hashed
