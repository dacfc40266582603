"""Reading candles as columns: a year of minutes at the speed of COPY."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from django.db import connection
from psycopg2 import sql

from marketdata.domain.columns import COLUMN_TYPES, CandleColumns
from marketdata.domain.timeframe import Timeframe
from marketdata.models import Instrument, from_ms
from marketdata.storage.copying import (
    FLOAT8,
    INT2,
    INT8,
    Rows,
    copy_blocks,
    milliseconds,
    row_layout,
)

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_PRICES: Final = ("open", "high", "low", "close", "volume")
_READ: Final = row_layout(
    {"open_time": INT8, **dict.fromkeys(_PRICES, FLOAT8), "minutes": INT2, "source": INT2}
)


def read_columns(
    instrument: Instrument, timeframe: Timeframe, start_ms: int, end_ms: int
) -> CandleColumns:
    """Return the stored candles that open in [start_ms, end_ms), in order of open time."""
    with connection.cursor() as cursor:
        return select_columns(cursor, instrument.pk, timeframe, start_ms, end_ms)


def select_columns(
    cursor: CursorWrapper, instrument_id: int, timeframe: Timeframe, start_ms: int, end_ms: int
) -> CandleColumns:
    """Return what `read_columns` does, within the transaction of `cursor`."""
    query = sql.SQL(
        "select open_time, open, high, low, close, volume, minutes, source"
        " from marketdata_candle where instrument_id = {instrument} and timeframe = {timeframe}"
        " and open_time >= {start} and open_time < {end} order by open_time"
    ).format(
        instrument=sql.Literal(instrument_id),
        timeframe=sql.Literal(timeframe.minutes),
        start=sql.Literal(from_ms(start_ms)),
        end=sql.Literal(from_ms(end_ms)),
    )
    decoded = _Decoded(max(0, -(-(end_ms - start_ms) // timeframe.ms)))
    copy_blocks(cursor, _READ, query, decoded.take)
    return decoded.columns()


class _Decoded:
    """Columns with room for all candles of a range, filled as their rows come.

    Memory that nothing is written to is never taken.
    """

    def __init__(self, room: int) -> None:
        self._arrays = {name: np.empty(room, kind) for name, kind in COLUMN_TYPES.items()}
        self._count = 0

    def take(self, rows: Rows) -> None:
        """Decode the next rows."""
        part = slice(self._count, self._count + len(rows))
        self._arrays["open_time_ms"][part] = milliseconds(rows["open_time"])
        for name in (*_PRICES, "minutes", "source"):
            self._arrays[name][part] = rows[name]
        self._count += len(rows)

    def columns(self) -> CandleColumns:
        """Return what has come."""
        return CandleColumns(**{name: kept[: self._count] for name, kept in self._arrays.items()})
