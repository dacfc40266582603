"""How a table that is in use becomes a hypertable.

The rows are copied into a new table beside the old one, some of a key's at a time, each in a
transaction of its own; then the new one takes the name. A conversion that ended in between is
gone on with, because of every key the copied rows end at a known time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction
from psycopg2 import sql

from marketdata.domain.raw import RawChannel
from marketdata.storage.hypertables import Hypertable, slices
from marketdata.storage.timescale import is_hypertable

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_SLICE_FUNCTION: Final = "marketdata_channel_slice"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a table is. Rows are counted; `chunks` are those of the new table."""

    table: str
    is_done: bool
    rows: int
    copied: int
    bytes: int
    chunks: int


class Unequal(Exception):
    """Not all rows of the old table are in the new one."""


def progress(hypertable: Hypertable) -> Progress:
    """Return how far a table is; counting takes a look at every row."""
    is_done = is_hypertable(hypertable.table)
    with connection.cursor() as cursor:
        rows = _count(cursor, hypertable.table)
        copied, chunks = rows if is_done else 0, 0
        made = hypertable.table if is_done else hypertable.fresh
        if is_done or is_hypertable(made):
            copied = _count(cursor, made)
            chunks = int(_one(cursor, "select count(*) from show_chunks(%s)", [made]))
        size = _SIZE_OF_HYPERTABLE if is_done else _SIZE
        return Progress(
            hypertable.table,
            is_done,
            rows,
            copied,
            int(_one(cursor, size, [hypertable.table]) or 0),
            chunks,
        )


def is_empty(hypertable: Hypertable) -> bool:
    """Whether the table has no row."""
    with connection.cursor() as cursor:
        return not _one(cursor, _composed("select exists (select from {old})", hypertable))


def convert(hypertable: Hypertable) -> Iterator[int]:
    """Make a table a hypertable; yield the number of rows after every step of copying.

    Until it is done nothing can be written to the table: writers are told that a lock was not
    to be had, and try again. Raises Unequal, and changes nothing then, when rows are missing.
    """
    if is_hypertable(hypertable.table):
        return
    _prepare(hypertable)
    yield from _copy(hypertable)
    _take_place(hypertable)


def _prepare(hypertable: Hypertable) -> None:
    """Make the new table, and from now on refuse writes to the old one."""
    if is_hypertable(hypertable.fresh):
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_composed(_CREATE, hypertable))
        cursor.execute(
            _CREATE_HYPERTABLE, [hypertable.fresh, hypertable.time, _text(hypertable.chunk)]
        )
        if hypertable.is_sliced:
            cursor.execute(_slice_function())
            cursor.execute(_SLICE, [hypertable.fresh, len(RawChannel), _SLICE_FUNCTION])
        cursor.execute(_composed(_REFUSE_WRITES, hypertable))


def _copy(hypertable: Hypertable) -> Iterator[int]:
    with connection.cursor() as cursor:
        cursor.execute(_composed(_KEYS, hypertable))
        keys = cursor.fetchall()
    for key in keys:
        while copied := _copy_some(hypertable, key):
            yield copied


def _copy_some(hypertable: Hypertable, key: tuple[Any, ...]) -> int:
    """Copy a key's next rows and return how many; 0 when all are there."""
    with transaction.atomic(), connection.cursor() as cursor:
        last = _one(cursor, _composed(_LAST, hypertable), key)
        after = _composed(_NEXT, hypertable)
        first: datetime | None = _one(cursor, after, [*key, last or "-infinity"])
        if first is None:
            return 0
        # Whole chunks, so that none is written to twice.
        end = _midnight(first) + hypertable.copied_at_once
        cursor.execute(_composed(_COPY, hypertable), [*key, last or "-infinity", end])
        return int(cursor.rowcount)


def _take_place(hypertable: Hypertable) -> None:
    """Put the new table in the old one's place, with its names, views, and compression."""
    with transaction.atomic(), connection.cursor() as cursor:
        # Nothing can be written to the old one, so that counting needs no lock on it.
        rows, copied = _count(cursor, hypertable.table), _count(cursor, hypertable.fresh)
        if rows != copied:
            raise Unequal(f"{hypertable.table} has {rows} rows, {copied} were copied")
        views = _views(cursor, hypertable)
        names = _index_names(cursor, hypertable)
        for view, _ in views:
            cursor.execute(sql.SQL("drop view {}").format(sql.Identifier(view)))
        cursor.execute(_composed(_SWAP, hypertable))
        for name, wanted in names:
            cursor.execute(
                sql.SQL("alter index {} rename to {}").format(
                    sql.Identifier(name), sql.Identifier(wanted)
                )
            )
        for view, definition in views:
            cursor.execute(
                sql.SQL("create view {} as ").format(sql.Identifier(view)) + sql.SQL(definition)
            )
        cursor.execute(_composed(_COMPRESS, hypertable))
        cursor.execute(_POLICY, [hypertable.table, _text(hypertable.compress_after)])
        cursor.execute(_composed("analyze {old}", hypertable))


def _views(cursor: CursorWrapper, hypertable: Hypertable) -> list[tuple[str, str]]:
    cursor.execute(_VIEWS, [hypertable.table])
    return [(name, definition.rstrip(";")) for name, definition in cursor.fetchall()]


def _index_names(cursor: CursorWrapper, hypertable: Hypertable) -> list[tuple[str, str]]:
    """Return the new table's indexes with the names of the old one's."""
    cursor.execute(_INDEX_NAMES, [hypertable.fresh, hypertable.table])
    return [(name, wanted) for name, wanted in cursor.fetchall()]


def _slice_function() -> sql.Composed:
    """Return the function that puts every channel into a slice of its own."""
    cases = sql.SQL(" ").join(
        sql.SQL("when {} then {}").format(sql.Literal(channel.value), sql.Literal(start))
        for channel, start in slices().items()
    )
    return sql.SQL(
        "create or replace function {}(varchar) returns int language sql immutable parallel safe"
        " as $$ select case $1 {} else 0 end $$"
    ).format(sql.Identifier(_SLICE_FUNCTION), cases)


def _composed(template: str, hypertable: Hypertable) -> sql.Composed:
    """Fill in names. Values come as parameters."""
    key = [sql.Identifier(name) for name in hypertable.key]
    values = sql.SQL(", ").join(sql.Placeholder() for _ in key)
    return sql.SQL(template).format(
        old=sql.Identifier(hypertable.table),
        new=sql.Identifier(hypertable.fresh),
        time=sql.Identifier(hypertable.time),
        key=sql.SQL(", ").join(key),
        values=values,
        known=sql.SQL(", ").join(sql.SQL("known.{}").format(name) for name in key),
        segments=sql.Literal(hypertable.segment_by),
        order=sql.Literal(hypertable.order_by),
    )


def _count(cursor: CursorWrapper, table: str) -> int:
    return int(_one(cursor, sql.SQL("select count(*) from {}").format(sql.Identifier(table))))


def _one(cursor: CursorWrapper, statement: Any, values: Any = None) -> Any:
    cursor.execute(statement, values)
    return cursor.fetchone()[0]


def _text(interval: timedelta) -> str:
    return f"{interval.days} days"


def _midnight(time: datetime) -> datetime:
    return time.replace(hour=0, minute=0, second=0, microsecond=0)


# A partitioned table has no size of its own, and a plain one no partitions.
_SIZE: Final = """
select pg_total_relation_size(name::regclass) + coalesce((
    select sum(pg_total_relation_size(relid)) from pg_partition_tree(name::regclass)
    where relid <> name::regclass
), 0) from (select %s::text) asked (name)
"""
_SIZE_OF_HYPERTABLE: Final = "select hypertable_size(%s)"
_CREATE: Final = """
create table {new} (like {old} including defaults including constraints including indexes)
"""
_CREATE_HYPERTABLE: Final = """
select create_hypertable(%s::regclass, by_range(%s, %s::interval), create_default_indexes => false)
"""
_SLICE: Final = """
select add_dimension(%s::regclass, by_hash('channel', %s, partition_func => %s::regproc))
"""
# The error of a lock that was not to be had: whoever writes waits and tries again.
_REFUSE_WRITES: Final = """
create or replace function marketdata_being_converted() returns trigger language plpgsql as $$
begin
    raise exception '% is being made a hypertable', tg_table_name using errcode = '55P03';
end $$;
create trigger being_converted before insert or update or delete or truncate on {old}
    for each statement execute function marketdata_being_converted()
"""
# From key to key by the primary key, whatever lies between.
_KEYS: Final = """
with recursive known as (
    (select {key} from {old} order by {key} limit 1)
    union all
    select following.* from known cross join lateral (
        select {key} from {old} where ({key}) > ({known}) order by {key} limit 1
    ) following
) select * from known
"""
_LAST: Final = "select max({time}) from {new} where ({key}) = ({values})"
_NEXT: Final = "select min({time}) from {old} where ({key}) = ({values}) and {time} > %s"
_COPY: Final = """
insert into {new} select * from {old}
where ({key}) = ({values}) and {time} > %s and {time} < %s order by {time}
"""
_VIEWS: Final = """
select distinct view.relname, pg_get_viewdef(view.oid)
from pg_depend used
join pg_rewrite rule on rule.oid = used.objid
join pg_class view on view.oid = rule.ev_class and view.relkind = 'v'
where used.refobjid = %s::regclass and used.classid = 'pg_rewrite'::regclass
"""
_INDEX_NAMES: Final = """
select fresh.indexname, old.indexname from pg_indexes fresh join pg_indexes old
    on substring(fresh.indexdef from ' USING .*') = substring(old.indexdef from ' USING .*')
where fresh.schemaname = current_schema and old.schemaname = current_schema
    and fresh.tablename = %s and old.tablename = %s
"""
_SWAP: Final = "drop table {old}; alter table {new} rename to {old}"
_COMPRESS: Final = """
alter table {old} set (timescaledb.enable_columnstore, timescaledb.segmentby = {segments},
    timescaledb.orderby = {order})
"""
_POLICY: Final = "call add_columnstore_policy(%s::regclass, after => %s::interval)"
