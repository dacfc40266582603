"""Flat minutes follow the close before them, also when that close is revised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from marketdata.domain.records import Candles, Source, empty_candles
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import from_ms
from marketdata.storage.candles import select_candles

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_SOURCE: Final = """
select source from marketdata_candle
where instrument_id = %s and timeframe = 1 and open_time = %s
"""


def stale_flats(cursor: CursorWrapper, instrument_id: int, minutes: Candles) -> Candles:
    """Return the flat minutes among and right after the stored `minutes`, corrected.

    Only those whose prices are not the close before them; at most a day beyond the last.
    """
    minutes = np.concatenate([minutes, _following(cursor, instrument_id, minutes)])
    is_flat = minutes["source"] == Source.FLAT
    place = np.arange(len(minutes))
    before = np.maximum.accumulate(np.where(is_flat, -1, place))
    is_connected = (before >= 0) & (
        minutes["open_time_ms"] - minutes["open_time_ms"][before] == (place - before) * MINUTE_MS
    )
    close = minutes["close"][before]
    is_stale = is_flat & is_connected & (minutes["close"] != close)
    flats: Candles = minutes[is_stale]
    for name in ("open", "high", "low", "close"):
        flats[name] = close[is_stale]
    return flats


def _following(cursor: CursorWrapper, instrument_id: int, minutes: Candles) -> Candles:
    end_ms = int(minutes["open_time_ms"][-1]) + MINUTE_MS
    cursor.execute(_SOURCE, [instrument_id, from_ms(end_ms)])
    if cursor.fetchone() != (Source.FLAT,):
        return empty_candles()
    candles = select_candles(cursor, instrument_id, Timeframe.M1, end_ms, end_ms + DAY_MS)
    others = np.flatnonzero(candles["source"] != Source.FLAT)
    run: Candles = candles[: others[0]] if len(others) else candles
    return run
