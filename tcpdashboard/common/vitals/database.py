"""What PostgreSQL says of itself: size, connections of each process, slowest statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import structlog
from django.db import DatabaseError, connection, transaction

from tcpdashboard.common.postgres.slots import limit_of

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

log = structlog.get_logger(__name__)

EXTENSION: Final = "pg_stat_statements"

# How every process of ours names its sessions.
_OURS: Final = "tcpdashboard "
_MOST_STATEMENTS: Final = 10
_MOST_TEXT: Final = 400

_CONNECTIONS: Final = """
select coalesce(nullif(application_name, ''), backend_type), count(*),
    count(*) filter (where state = 'active'),
    count(*) filter (where state like 'idle in transaction%%')
from pg_stat_activity where backend_type = 'client backend'
group by 1 order by 2 desc, 1
"""

# Literals stand in COPY's text alone: what differs by them only is one statement to people.
_STATEMENTS: Final = """
select left(shape, %s), sum(calls)::bigint, sum(spent) / sum(calls), max(longest), sum(spent) from (
    select regexp_replace(query, %s, '?', 'g'), calls, max_exec_time, total_exec_time
    from pg_stat_statements
    where dbid = (select oid from pg_database where datname = current_database()) and calls > 0
    order by total_exec_time desc limit 500
) as found (shape, calls, longest, spent)
group by shape order by sum(spent) desc limit %s
"""

_LITERAL: Final = r"'[^']*'|\m\d+\M"

# Names of what is loaded may be hidden from who asks: then nothing is known of it.
_MAY_MEASURE: Final = """
select exists (select 1 from pg_available_extensions where name = %s)
    and coalesce(current_setting('shared_preload_libraries', true), '') like %s
"""


def database_vitals() -> dict[str, Any]:
    """Return sizes in bytes, connections by process, and the statements that took longest in all.

    Several processes of one name are counted together; `limit` is the most of one of them, None of
    who is none of ours. What TCPD_DB_CONNECTIONS says in another process is not known here.
    `statements` is None where the server does not measure them. Times are milliseconds. Raises
    DatabaseError.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_database_size(current_database()),"
            " current_setting('max_connections')::int, current_setting('server_version')"
        )
        size, most, version = cursor.fetchone()
        cursor.execute(_CONNECTIONS)
        rows = cursor.fetchall()
        return {
            "version": version,
            "bytes": size,
            "max_connections": most,
            "connections": [
                {
                    "process": name,
                    "number": number,
                    "limit": _limit_of(name),
                    "active": active,
                    "waiting": waiting,
                }
                for name, number, active, waiting in rows
            ],
            "statements": _statements(cursor),
        }


def _limit_of(name: str) -> int | None:
    is_ours = name.startswith(_OURS)
    return limit_of(name.removeprefix(_OURS)) if is_ours else None


def measure_statements(**_options: Any) -> None:
    """Let the server measure statements where it was started for that; else change nothing."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_MAY_MEASURE, [EXTENSION, f"%{EXTENSION}%"])
            if cursor.fetchone()[0]:
                cursor.execute(f"create extension if not exists {EXTENSION}")
    except DatabaseError as error:
        log.info("statements_not_measured", reason=str(error).partition("\n")[0])


def _statements(cursor: CursorWrapper) -> list[dict[str, Any]] | None:
    cursor.execute("select 1 from pg_extension where extname = %s", [EXTENSION])
    if cursor.fetchone() is None:
        return None
    try:
        with transaction.atomic():
            cursor.execute(_STATEMENTS, [_MOST_TEXT, _LITERAL, _MOST_STATEMENTS])
            rows = cursor.fetchall()
    except DatabaseError:
        # The extension is there, but the server was started without its library.
        return None
    return [
        {
            "query": " ".join(str(query).split()),
            "calls": int(calls),
            "mean_ms": round(mean, 2),
            "max_ms": round(longest, 1),
            "total_ms": round(total),
        }
        for query, calls, mean, longest, total in rows
    ]
