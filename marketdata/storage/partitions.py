"""The tables that raw messages are spread over: one for each channel and UTC day.

Where raw messages are a hypertable these are its chunks, which it makes by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.db import connection, transaction
from psycopg2 import sql

from marketdata.domain.raw import RawChannel
from marketdata.storage.hypertables import slices
from marketdata.storage.timescale import chunks, is_hypertable

TABLE: Final = "marketdata_rawmessage"
RETIRED: Final = "_retired"

# The key of the advisory lock on making and retiring partitions; 7101 and 7102 guard other data.
_PARTITIONS: Final = 7140
_NAME: Final = re.compile(rf"{TABLE}_(?P<channel>[a-z_]+?)_(?P<day>\d{{8}})(?P<retired>{RETIRED})?")

_LIST: Final = """
select c.relname, pg_total_relation_size(c.oid) from pg_class c
where c.relkind = 'r' and c.relnamespace = current_schema::regnamespace
    and c.relname like 'marketdata\\_rawmessage\\_%'
order by c.relname
"""


@dataclass(frozen=True, slots=True)
class Partition:
    """One channel's day. A retired one is a table of its own that waits for its end.

    `chunk` is the chunk's name where raw messages are a hypertable.
    """

    channel: RawChannel
    day: date
    bytes: int
    is_retired: bool = False
    chunk: str | None = None

    @property
    def table(self) -> str:
        """The table's name."""
        name = _name(self.channel, self.day) + (RETIRED if self.is_retired else "")
        return self.chunk or name

    @property
    def start_ms(self) -> int:
        """Where its day begins, in UTC milliseconds."""
        return int(_midnight(self.day).timestamp()) * 1000


def is_partitioned() -> bool:
    """Whether raw messages lie in partitions of ours."""
    with connection.cursor() as cursor:
        cursor.execute("select relkind = 'p' from pg_class where oid = %s::regclass", [TABLE])
        return bool(cursor.fetchone()[0])


def partitions() -> list[Partition]:
    """Return all there are, by channel: of each the oldest day first."""
    found = [*_tables(), *_chunks()] if is_hypertable(TABLE) else _tables()
    return sorted(found, key=lambda one: (one.channel, one.day, one.is_retired))


def _tables() -> list[Partition]:
    with connection.cursor() as cursor:
        cursor.execute(_LIST)
        found = [(_NAME.fullmatch(name), size) for name, size in cursor.fetchall()]
    return [
        Partition(
            RawChannel(name["channel"]),
            datetime.strptime(name["day"], "%Y%m%d").replace(tzinfo=UTC).date(),
            size,
            name["retired"] is not None,
        )
        for name, size in found
        if name is not None
    ]


def _chunks() -> list[Partition]:
    channels = {start: channel for channel, start in slices().items()}
    return [
        # The first slice reaches down without an end.
        Partition(
            channels[max(chunk.slice_start, 0)],
            chunk.start.date(),
            chunk.bytes,
            chunk=chunk.table,
        )
        for chunk in chunks(TABLE)
    ]


def ensure_partitions(wanted: Iterable[tuple[RawChannel, date]]) -> None:
    """Make the partitions that are not there yet; safe from several processes at once.

    Attaching locks no reader and no writer out, which creating in place would.
    """
    if not is_partitioned():
        return
    for channel, day in wanted:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s, 0)", [_PARTITIONS])
            cursor.execute("select to_regclass(%s)", [_name(channel, day)])
            if cursor.fetchone()[0] is None:
                cursor.execute(_created(channel, day))


def prepare_days(first: date, days: int) -> None:
    """Make the partitions of all channels for `days` days from `first` on."""
    ahead = [first + timedelta(days=number) for number in range(days)]
    ensure_partitions((channel, day) for day in ahead for channel in RawChannel)


def retire(partition: Partition) -> Partition:
    """Take a partition out of the table: from now on nobody reads it and nothing gets into it.

    Its rows stay as they are in a table of their own. Raises OperationalError when the lock was
    not to be had in time: nothing has changed then.
    """
    retired = Partition(partition.channel, partition.day, partition.bytes, is_retired=True)
    if partition.chunk is not None:
        _detach_chunk(partition.chunk, retired.table)
        return retired
    names = {
        "parent": sql.Identifier(f"{TABLE}_{partition.channel}"),
        "old": sql.Identifier(partition.table),
        "new": sql.Identifier(retired.table),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, 0)", [_PARTITIONS])
        cursor.execute(
            sql.SQL(
                "alter table {parent} detach partition {old}; alter table {old} rename to {new}"
            ).format(**names)
        )
    return retired


def _detach_chunk(chunk: str, name: str) -> None:
    """Make a chunk, uncompressed, a table of its own beside the hypertable."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select current_schema, decompress_chunk(%s, true)", [chunk])
        schema = cursor.fetchone()[0]
        cursor.execute("call detach_chunk(%s)", [chunk])
        parts = {"chunk": sql.Identifier(*chunk.split(".")), "new": sql.Identifier(name)}
        parts |= {"schema": sql.Identifier(schema)}
        parts |= {"renamed": sql.Identifier(chunk.partition(".")[0], name)}
        cursor.execute(
            sql.SQL(
                "alter table {chunk} rename to {new}; alter table {renamed} set schema {schema}"
            ).format(**parts)
        )


def drop(partition: Partition) -> None:
    """Drop a retired partition: the files of a table go, whatever their size."""
    if not partition.is_retired:
        raise ValueError(f"expected a retired partition, was {partition.table}")
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("drop table {}").format(sql.Identifier(partition.table)))


def count(partition: Partition) -> int:
    """Return the number of its rows."""
    with connection.cursor() as cursor:
        table = sql.Identifier(*partition.table.split("."))
        cursor.execute(sql.SQL("select count(*) from {}").format(table))
        return int(cursor.fetchone()[0])


def _created(channel: RawChannel, day: date) -> sql.Composed:
    return sql.SQL(
        "create table {table} (like {parent} including defaults including constraints"
        " including indexes);"
        " alter table {parent} attach partition {table} for values from ({start}) to ({end})"
    ).format(
        table=sql.Identifier(_name(channel, day)),
        parent=sql.Identifier(f"{TABLE}_{channel}"),
        start=sql.Literal(_midnight(day)),
        end=sql.Literal(_midnight(day + timedelta(days=1))),
    )


def _name(channel: RawChannel, day: date) -> str:
    return f"{TABLE}_{channel}_{day:%Y%m%d}"


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
