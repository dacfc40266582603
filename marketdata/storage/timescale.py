"""TimescaleDB, where the database has it: whether it may be used, and what its tables hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import connection

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

OLDEST: Final = (2, 21)
"""The first version that can take a chunk out of its table."""

# The loader brings settings of its own; who asks may not be allowed to see what is preloaded.
_STATE: Final = """
select (select extversion from pg_extension where extname = 'timescaledb'),
    (select default_version from pg_available_extensions where name = 'timescaledb'),
    exists (select from pg_settings where name like 'timescaledb.%%'),
    has_database_privilege(current_database(), 'create')
"""
_IS_HYPERTABLE: Final = """
select exists (select from timescaledb_information.hypertables
    where hypertable_schema = current_schema and hypertable_name = %s)
"""
_CHUNKS: Final = """
select format('%%I.%%I', c.chunk_schema, c.chunk_name), c.range_start, c.range_end,
    s.total_bytes, c.is_compressed, coalesce((
        select slice.range_start from _timescaledb_catalog.chunk chunk
        join _timescaledb_catalog.chunk_constraint bound on bound.chunk_id = chunk.id
        join _timescaledb_catalog.dimension_slice slice on slice.id = bound.dimension_slice_id
        join _timescaledb_catalog.dimension dimension on dimension.id = slice.dimension_id
        where chunk.schema_name = c.chunk_schema and chunk.table_name = c.chunk_name
            and dimension.num_slices is not null
    ), 0)
from timescaledb_information.chunks c
join chunks_detailed_size(%s) s
    on s.chunk_schema = c.chunk_schema and s.chunk_name = c.chunk_name
where c.hypertable_schema = current_schema and c.hypertable_name = %s
order by c.range_start, c.chunk_name
"""


@dataclass(frozen=True, slots=True)
class Timescale:
    """What the server says of the extension: versions are None where it is not there."""

    installed: str | None
    available: str | None
    is_preloaded: bool
    may_create: bool

    def why_not(self, wish: str) -> str | None:
        """Return why it is not used under the setting `wish`, or None when it can be."""
        if wish == "off":
            return "TCPD_TIMESCALE is off"
        version = self.installed or self.available
        if version is None:
            return "this database server does not have the extension timescaledb"
        if _number(version) < OLDEST:
            return f"TimescaleDB {version} is too old: 2.21 or later is needed"
        if self.installed:
            return None
        if not self.is_preloaded and wish != "on":
            return "timescaledb is not in the server's shared_preload_libraries"
        if not self.may_create:
            return "this user may not create the extension: let the owner of the database do it"
        return None


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk of a hypertable; `slice_start` tells which slice of its second dimension."""

    table: str
    start: datetime
    end: datetime
    bytes: int
    is_compressed: bool
    slice_start: int


def timescale(cursor: CursorWrapper) -> Timescale:
    """Return what the server says of the extension."""
    cursor.execute(_STATE, [])
    return Timescale(*cursor.fetchone())


def why_not_used(cursor: CursorWrapper) -> str | None:
    """Return the sentence that says why TimescaleDB is not used here, or None when it can be."""
    return timescale(cursor).why_not(settings.TIMESCALE)


def is_installed(cursor: CursorWrapper) -> bool:
    """Whether the extension is in this database."""
    cursor.execute("select exists (select from pg_extension where extname = 'timescaledb')")
    return bool(cursor.fetchone()[0])


def is_hypertable(table: str) -> bool:
    """Whether `table` is a hypertable."""
    with connection.cursor() as cursor:
        if not is_installed(cursor):
            return False
        cursor.execute(_IS_HYPERTABLE, [table])
        return bool(cursor.fetchone()[0])


def chunks(table: str) -> list[Chunk]:
    """Return the chunks of a hypertable, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_CHUNKS, [table, table])
        return [Chunk(*row) for row in cursor.fetchall()]


def rows_and_bytes(cursor: CursorWrapper, found: list[Chunk]) -> tuple[int, int]:
    """Return the planner's estimate of the rows of chunks, and the bytes they take."""
    cursor.execute(
        "select sum(approximate_row_count(name::regclass)) from unnest(%s::text[]) name",
        [[chunk.table for chunk in found]],
    )
    return int(cursor.fetchone()[0] or 0), sum(chunk.bytes for chunk in found)


def _number(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)
