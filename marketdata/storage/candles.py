"""Reading candles into arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from django.db import connection
from psycopg2 import sql

from marketdata.domain.records import Candles
from marketdata.domain.timeframe import Timeframe
from marketdata.models import Instrument, from_ms
from marketdata.storage.copying import column_names, copy_out
from marketdata.storage.rows import CANDLE_READ, candles_of

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_COLUMNS: Final = sql.SQL(", ").join(map(sql.Identifier, column_names(CANDLE_READ)))

_BOUNDS: Final = """
select timeframe, (extract(epoch from oldest) * 1000)::bigint,
    (extract(epoch from newest) * 1000)::bigint
from unnest(%s::smallint[]) as wanted (timeframe) cross join lateral (
    select min(open_time) as oldest, max(open_time) as newest from marketdata_candle as candle
    where candle.instrument_id = %s and candle.timeframe = wanted.timeframe
) as bounds
"""


class Bounds(NamedTuple):
    """The open times of the oldest and the newest stored candle; None when there is none."""

    oldest_ms: int | None
    newest_ms: int | None

    def touch(self, start_ms: int, end_ms: int) -> bool:
        """Return whether a candle that opens in [start_ms, end_ms) can be stored."""
        if self.oldest_ms is None or self.newest_ms is None:
            return False
        return start_ms <= self.newest_ms and self.oldest_ms < end_ms


def read_candles(
    instrument: Instrument, timeframe: Timeframe, start_ms: int, end_ms: int
) -> Candles:
    """Return the stored candles that open in [start_ms, end_ms), in order of open time."""
    with connection.cursor() as cursor:
        return select_candles(cursor, instrument.pk, timeframe, start_ms, end_ms)


def read_last_candles(
    instrument: Instrument, timeframe: Timeframe, limit: int, before_ms: int | None = None
) -> Candles:
    """Return the newest `limit` candles that open before `before_ms`, in order of open time."""
    before: sql.Composable = sql.SQL("true")
    if before_ms is not None:
        before = sql.SQL("open_time < {}").format(sql.Literal(from_ms(before_ms)))
    query = sql.SQL(
        "select {columns} from marketdata_candle"
        " where instrument_id = {instrument} and timeframe = {timeframe} and {before}"
        " order by open_time desc limit {limit}"
    ).format(
        columns=_COLUMNS,
        instrument=sql.Literal(instrument.pk),
        timeframe=sql.Literal(timeframe.minutes),
        before=before,
        limit=sql.Literal(limit),
    )
    with connection.cursor() as cursor:
        return copy_out(cursor, CANDLE_READ, query, candles_of)[::-1].copy()


def read_bounds(instrument: Instrument, timeframe: Timeframe) -> Bounds:
    """Return the first and last open time that are stored."""
    with connection.cursor() as cursor:
        return select_bounds(cursor, instrument.pk, timeframe)


def select_candles(
    cursor: CursorWrapper, instrument_id: int, timeframe: Timeframe, start_ms: int, end_ms: int
) -> Candles:
    """Return what `read_candles` does, within the transaction of `cursor`."""
    query = sql.SQL(
        "select {columns} from marketdata_candle"
        " where instrument_id = {instrument} and timeframe = {timeframe}"
        " and open_time >= {start} and open_time < {end} order by open_time"
    ).format(
        columns=_COLUMNS,
        instrument=sql.Literal(instrument_id),
        timeframe=sql.Literal(timeframe.minutes),
        start=sql.Literal(from_ms(start_ms)),
        end=sql.Literal(from_ms(end_ms)),
    )
    return copy_out(cursor, CANDLE_READ, query, candles_of)


def select_bounds(cursor: CursorWrapper, instrument_id: int, timeframe: Timeframe) -> Bounds:
    """Return what `read_bounds` does, by two looks at the primary key."""
    return select_all_bounds(cursor, instrument_id, [timeframe])[timeframe]


def select_all_bounds(
    cursor: CursorWrapper, instrument_id: int, timeframes: Sequence[Timeframe]
) -> dict[Timeframe, Bounds]:
    """Return the bounds of several timeframes by one statement."""
    cursor.execute(_BOUNDS, [[one.minutes for one in timeframes], instrument_id])
    found = {minutes: Bounds(*bounds) for minutes, *bounds in cursor.fetchall()}
    return {timeframe: found[timeframe.minutes] for timeframe in timeframes}
