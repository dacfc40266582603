"""Which processes hold how many database connections, beside what each may hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import connection

from tcpdashboard.common.postgres.slots import limit_of

PREFIX: Final = "tcpdashboard "

_COUNTS: Final = """
select substr(application_name, %s), count(*), count(*) filter (where state = 'active')
from pg_stat_activity
where backend_type = 'client backend' and datname = current_database()
    and starts_with(application_name, %s)
group by 1 order by 1
"""


@dataclass(frozen=True, slots=True)
class ProcessConnections:
    """The connections of all processes of one name: open, at work, and the most of one of them."""

    process: str
    number: int
    active: int
    limit: int


def connections_by_process() -> list[ProcessConnections]:
    """Return the database's connections by the name of the process (TCPD_PROCESS).

    One query, for the System health page. Several processes of one name, such as the two of
    gunicorn, are counted together; `limit` is that of one, and what TCPD_DB_CONNECTIONS says in
    another process's environment is not known here. Raises DatabaseError.
    """
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, [len(PREFIX) + 1, PREFIX])
        return [
            ProcessConnections(process, number, active, limit_of(process))
            for process, number, active in cursor.fetchall()
        ]
