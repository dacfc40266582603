"""Ends the sessions of writers that stand still in the middle of a COPY.

Such a process is neither idle nor gone: no timeout of the server ends its transaction, whose locks
keep the collector from being taken over and its instruments from being written.
"""

from __future__ import annotations

from typing import Final

import structlog
from django.db import connection

from marketdata.storage.locks import INSTRUMENT_DATA

STANDSTILL_S: Final = 30.0

log = structlog.get_logger(__name__)

# Only those that hold what others need: the lock on an instrument's data, or the fence.
_END: Final = """
select pid, application_name, pg_terminate_backend(pid)
from pg_stat_activity session
where datname = current_database() and usename = current_user and pid <> pg_backend_pid()
    and state = 'active' and wait_event = 'ClientRead'
    and query_start < clock_timestamp() - make_interval(secs => %s)
    and exists (
        select 1 from pg_locks
        where pg_locks.pid = session.pid and granted and (
            locktype = 'advisory' and classid = %s
            or relation = 'marketdata_collector'::regclass
        )
    )
"""


def end_standstills(after_s: float = STANDSTILL_S) -> int:
    """End the sessions that have waited for a writer's data for `after_s`; return how many.

    A COPY takes milliseconds, and a few seconds at most: its writer was stopped, or its machine.
    What it did is rolled back, and it finds its connection closed when it goes on.
    """
    with connection.cursor() as cursor:
        cursor.execute(_END, [after_s, INSTRUMENT_DATA])
        ended = cursor.fetchall()
    for pid, process, _ in ended:
        log.warning("standstill_ended", pid=pid, process=process, after_s=after_s)
    return len(ended)
