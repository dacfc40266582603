"""What a day of candles holds, counted once for each version of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.records import Source
from marketdata.domain.timeframe import Timeframe

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

COUNTS: Final = ("rows", "complete", "by_trades", "by_exchange", "by_import", "flat", "revised")

DAY_DTYPE: Final = np.dtype(
    [("instrument_id", np.int64), ("day", np.int64), *((name, np.int64) for name in COUNTS)]
)

Days = NDArray[np.void]
"""An array of DAY_DTYPE, ordered by instrument and day; days since 1970-01-01.

`by_trades`, `by_exchange`, `by_import` and `flat` add up to `complete`. `revised` are the candles
that were changed, or inserted among others, after they were closed.
"""

_BY_SOURCE: Final = {
    "by_trades": Source.TRADES,
    "by_exchange": Source.EXCHANGE,
    "by_import": Source.IMPORTED,
    "flat": Source.FLAT,
}

# Version and candles come from one statement, so they belong together. The condition on the
# versions stands inside too: the candles of a day whose counts are kept must not be looked at. The
# days are chosen first: to count them all, only to keep the newest, would take minutes.
_SELECT: Final = f"""
with kept as materialized (
    select * from marketdata_candleday as kept
    where kept.instrument_id = any(%s) and kept.timeframe = %s {{chosen}}
)
select kept.instrument_id, kept.day - date '1970-01-01', kept.version, fresh.rows is not null,
    {", ".join(f"coalesce(fresh.{name}, kept.{name})" for name in COUNTS)}
from kept
left join lateral (
    select count(*) as rows, count(*) filter (where minutes = kept.timeframe) as complete,
        {
    ", ".join(
        f"count(*) filter (where minutes = kept.timeframe and source = {source.value}) as {name}"
        for name, source in _BY_SOURCE.items()
    )
},
        (select count(distinct revision.open_time) from marketdata_candlerevision as revision
            where kept.counted_version <> kept.version
                and revision.instrument_id = kept.instrument_id
                and revision.timeframe = kept.timeframe
                and revision.open_time >= kept.day::timestamp at time zone 'UTC'
                and revision.open_time < (kept.day + 1)::timestamp at time zone 'UTC') as revised
    from marketdata_candle as candle
    where kept.counted_version <> kept.version
        and candle.instrument_id = kept.instrument_id and candle.timeframe = kept.timeframe
        and candle.open_time >= kept.day::timestamp at time zone 'UTC'
        and candle.open_time < (kept.day + 1)::timestamp at time zone 'UTC'
) as fresh on kept.counted_version <> kept.version
order by 1, 2
"""  # noqa: S608

_RANGE: Final = _SELECT.format(
    chosen="and kept.day between date '1970-01-01' + %s and date '1970-01-01' + %s"
)

_STALE: Final = _SELECT.format(
    chosen="and kept.counted_version <> kept.version order by day desc, instrument_id limit %s"
)

# A day that is being written is left to the next time: nobody waits for a cache.
_KEEP: Final = f"""
with fresh as (
    select * from unnest(%s::bigint[], %s::int[], %s::bigint[], {
    ", ".join(["%s::int[]"] * len(COUNTS))
})
        as counted (instrument_id, day_number, version, {", ".join(COUNTS)})
), free as (
    select kept.instrument_id, kept.timeframe, kept.day, kept.version
    from marketdata_candleday as kept join fresh
        on kept.instrument_id = fresh.instrument_id and kept.timeframe = %s
        and kept.day = date '1970-01-01' + fresh.day_number
    for update of kept skip locked
)
update marketdata_candleday as kept set counted_version = fresh.version,
    {", ".join(f"{name} = fresh.{name}" for name in COUNTS)}
from fresh join free on free.instrument_id = fresh.instrument_id
    and free.day = date '1970-01-01' + fresh.day_number and free.version = fresh.version
where kept.instrument_id = free.instrument_id and kept.timeframe = free.timeframe
    and kept.day = free.day
"""  # noqa: S608


def select_counts(
    cursor: CursorWrapper,
    instrument_ids: Sequence[int],
    timeframe: Timeframe,
    first_day: int,
    last_day: int,
) -> Days:
    """Return the counts of every stored day from `first_day` to `last_day`, both included.

    Days that changed since they were last counted are counted again, and kept. Two statements
    at most, whatever is asked for.
    """
    cursor.execute(_RANGE, [list(instrument_ids), timeframe.minutes, first_day, last_day])
    found = cursor.fetchall()
    _keep(cursor, timeframe, found)
    return np.array([(*row[:2], *row[4:]) for row in found], dtype=DAY_DTYPE)


def count_stale_days(
    cursor: CursorWrapper, instrument_ids: Sequence[int], timeframe: Timeframe, limit: int
) -> None:
    """Count the newest `limit` days that changed since they were last counted."""
    cursor.execute(_STALE, [list(instrument_ids), timeframe.minutes, limit])
    _keep(cursor, timeframe, cursor.fetchall())


def _keep(cursor: CursorWrapper, timeframe: Timeframe, found: list[tuple[Any, ...]]) -> None:
    fresh = [row for row in found if row[3]]
    if fresh:
        instruments, days, versions, _, *counts = (
            list(column) for column in zip(*fresh, strict=True)
        )
        cursor.execute(_KEEP, [instruments, days, versions, *counts, timeframe.minutes])
