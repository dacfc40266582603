"""The newest candles of many instruments in one query: what lists of instruments show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from django.db import connection
from psycopg2 import sql

from marketdata.domain.records import Candles
from marketdata.domain.timeframe import Timeframe
from marketdata.models import Instrument
from marketdata.storage.copying import INT8, column_names, copy_out, row_layout
from marketdata.storage.rows import CANDLE_READ, candles_of

_COLUMNS: Final = column_names(CANDLE_READ)
_LAYOUT: Final = row_layout(
    {"instrument_id": INT8, **{name: CANDLE_READ[name].str for name in _COLUMNS}}
)
# Each instrument's rows are a short walk back along the primary key.
_QUERY: Final = sql.SQL(
    "select wanted.id, {columns} from unnest({ids}::bigint[]) as wanted (id)"
    " cross join lateral (select * from marketdata_candle where instrument_id = wanted.id"
    " and timeframe = {timeframe} order by open_time desc limit {limit}) as candle"
    " order by wanted.id, open_time"
)


def read_latest_candles(
    instruments: Sequence[Instrument], timeframe: Timeframe, limit: int
) -> dict[int, Candles]:
    """Return the newest `limit` candles of each instrument, by its key, in order of open time.

    An instrument without candles has an empty array.
    """
    ids = sorted({instrument.pk for instrument in instruments})
    query = _QUERY.format(
        columns=sql.SQL(", ").join(sql.Identifier("candle", name) for name in _COLUMNS),
        ids=sql.Literal(ids),
        timeframe=sql.Literal(timeframe.minutes),
        limit=sql.Literal(limit),
    )
    with connection.cursor() as cursor:
        rows = copy_out(cursor, _LAYOUT, query, np.copy)
    edges = np.searchsorted(rows["instrument_id"], [*ids, np.iinfo(np.int64).max])
    return {
        key: candles_of(rows[start:end])
        for key, start, end in zip(ids, edges[:-1], edges[1:], strict=True)
    }
