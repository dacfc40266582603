"""How much lies in which table, from when to when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import connection

from marketdata.domain.raw import RawChannel
from marketdata.models import TRADES
from marketdata.storage.hypertables import slices
from marketdata.storage.partitions import TABLE as RAW
from marketdata.storage.policies import policies
from marketdata.storage.timescale import chunks, is_hypertable, rows_and_bytes

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_COUNTED_BYTES: Final = 4_000_000

# A table that was never analysed has reltuples -1. pg_partition_tree knows no plain tables.
_SIZE: Final = """
select sum(greatest(c.reltuples, 0))::bigint, sum(pg_total_relation_size(c.oid))::bigint,
    coalesce(bool_or(c.reltuples < 0), false), sum(pg_relation_size(c.oid))::bigint
from (select to_regclass(%s) union select relid from pg_partition_tree(to_regclass(%s))) p (relid)
join pg_class c on c.oid = p.relid where c.relkind = 'r'
"""

_TABLES: Final = {
    "trades": ("marketdata_trade", "executed_at", ""),
    "openings": ("marketdata_opening", "open_time", ""),
    "candles": ("marketdata_candle", "open_time", "and timeframe = 1"),
    "revisions": ("marketdata_candlerevision", "open_time", "and timeframe = 1"),
}
"""Bulk tables, each with the time its primary key has behind the instrument."""


@dataclass(frozen=True, slots=True)
class TableSize:
    """One kind of data. `rows` is the planner's estimate, exact for small tables.

    `oldest` and `newest` are None when it is empty; `keep_days` None is for ever.
    """

    what: str
    rows: int
    bytes: int
    oldest: datetime | None
    newest: datetime | None
    keep_days: int | None
    is_archived: bool


def storage_by_table() -> list[TableSize]:
    """Return the sizes of all bulk data, each answered by a few index look-ups."""
    kept = policies()
    found = []
    with connection.cursor() as cursor:
        for what, (table, column, more) in _TABLES.items():
            policy = kept.get(what) if what == TRADES else None
            found.append(
                TableSize(
                    what,
                    *_size(cursor, table),
                    *_span(cursor, table, column, more),
                    policy.keep_days if policy else None,
                    policy.is_archived if policy else False,
                )
            )
        for channel in RawChannel:
            policy = kept[channel.value]
            found.append(
                TableSize(
                    channel.value,
                    *_size_of_channel(cursor, channel),
                    *_raw_span(cursor, channel),
                    policy.keep_days,
                    policy.is_archived,
                )
            )
    return found


def _size_of_channel(cursor: CursorWrapper, channel: RawChannel) -> tuple[int, int]:
    if not is_hypertable(RAW):
        return _size(cursor, f"{RAW}_{channel}")
    # The first slice reaches down without an end.
    start = slices()[channel]
    found = [chunk for chunk in chunks(RAW) if max(chunk.slice_start, 0) == start]
    rows, size = rows_and_bytes(cursor, found)
    if size < _COUNTED_BYTES:
        cursor.execute(f"select count(*) from {RAW} where channel = %s", [channel.value])  # noqa: S608
        rows = cursor.fetchone()[0]
    return rows, size


def _size(cursor: CursorWrapper, table: str) -> tuple[int, int]:
    if is_hypertable(table):
        rows, size = rows_and_bytes(cursor, chunks(table))
        if size < _COUNTED_BYTES:
            cursor.execute(f"select count(*) from {table}")  # noqa: S608 - names of this file
            rows = cursor.fetchone()[0]
        return rows, size
    cursor.execute(_SIZE, [table, table])
    rows, size, is_unknown, heap = cursor.fetchone()
    if heap is not None and (is_unknown or heap < _COUNTED_BYTES) and heap < 10 * _COUNTED_BYTES:
        cursor.execute(f"select count(*) from {table}")  # noqa: S608 - names of this file
        rows = cursor.fetchone()[0]
    return int(rows or 0), int(size or 0)


def _span(
    cursor: CursorWrapper, table: str, column: str, more: str
) -> tuple[datetime | None, datetime | None]:
    """Return the oldest and newest time: one look-up in the primary key for each instrument."""
    one = f"select {column} from {table} where instrument_id = i.id {more} order by {column}"  # noqa: S608
    cursor.execute(
        f"select min(first_time), max(last_time) from marketdata_instrument i"  # noqa: S608
        f" cross join lateral (select ({one} limit 1) as first_time,"
        f" ({one} desc limit 1) as last_time) t"
    )
    oldest, newest = cursor.fetchone()
    return oldest, newest


def _raw_span(
    cursor: CursorWrapper, channel: RawChannel
) -> tuple[datetime | None, datetime | None]:
    one = (
        "select exchange_time from marketdata_rawmessage where channel = %s order by exchange_time"
    )
    cursor.execute(
        f"select ({one} limit 1), ({one} desc limit 1)",
        [channel.value, channel.value],
    )
    oldest, newest = cursor.fetchone()
    return oldest, newest
