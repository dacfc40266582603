"""Flat minutes follow the close before them, also when that close is revised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from marketdata.domain.records import Candles, Source
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import from_ms
from marketdata.storage.candles import select_candles

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

# Where the run of flat minutes after a time ends: at the next other minute, or with the last one.
_RUN_END: Final = """
select (extract(epoch from coalesce(min(open_time) filter (where source <> %(flat)s),
    max(open_time) + interval '1 minute')) * 1000)::bigint
from (
    select open_time, source from marketdata_candle
    where instrument_id = %(instrument)s and timeframe = 1 and open_time > %(after)s
    order by open_time limit 1440
) as following
"""


def stale_flats(cursor: CursorWrapper, instrument_id: int, start_ms: int, end_ms: int) -> Candles:
    """Return the flat minutes that follow the stored minutes of [start_ms, end_ms), corrected.

    Only those whose prices are not the close before them, and at most a day beyond the range.
    """
    last_ms = end_ms - MINUTE_MS
    cursor.execute(
        _RUN_END,
        {"flat": Source.FLAT.value, "instrument": instrument_id, "after": from_ms(last_ms)},
    )
    run_end_ms = cursor.fetchone()[0] or end_ms
    minutes = select_candles(cursor, instrument_id, Timeframe.M1, start_ms, run_end_ms)
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
