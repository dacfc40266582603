"""Reading candles as columns: a year of minutes at the speed of COPY."""

from __future__ import annotations

from typing import Final

import numpy as np
from django.db import connection
from psycopg2 import sql

from marketdata.domain.columns import COLUMN_TYPES, CandleColumns
from marketdata.domain.timeframe import Timeframe
from marketdata.models import Instrument, from_ms
from marketdata.storage.copying import FLOAT8, INT2, INT8, Rows, copy_out, milliseconds, row_layout

_PRICES: Final = ("open", "high", "low", "close", "volume")
_READ: Final = row_layout(
    {"open_time": INT8, **dict.fromkeys(_PRICES, FLOAT8), "minutes": INT2, "source": INT2}
)
_DECODED: Final = np.dtype(list(COLUMN_TYPES.items()))


def read_columns(
    instrument: Instrument, timeframe: Timeframe, start_ms: int, end_ms: int
) -> CandleColumns:
    """Return the stored candles that open in [start_ms, end_ms), in order of open time."""
    query = sql.SQL(
        "select open_time, open, high, low, close, volume, minutes, source"
        " from marketdata_candle where instrument_id = {instrument} and timeframe = {timeframe}"
        " and open_time >= {start} and open_time < {end} order by open_time"
    ).format(
        instrument=sql.Literal(instrument.pk),
        timeframe=sql.Literal(timeframe.minutes),
        start=sql.Literal(from_ms(start_ms)),
        end=sql.Literal(from_ms(end_ms)),
    )
    with connection.cursor() as cursor:
        return CandleColumns.of(copy_out(cursor, _READ, query, _decoded))


def _decoded(rows: Rows) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    made = np.empty(len(rows), _DECODED)
    made["open_time_ms"] = milliseconds(rows["open_time"])
    for name in (*_PRICES, "minutes", "source"):
        made[name] = rows[name]
    return made
