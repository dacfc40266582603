"""What something costs, however busy the machine is with other things."""

from __future__ import annotations

import time

import psutil
from django.db import connection


def spent_s() -> float:
    """Return the seconds of a processor that this process and its database session have used.

    A database on another machine tells nothing of its own.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        (backend,) = cursor.fetchone()
    try:
        of_session = psutil.Process(backend).cpu_times()
    except psutil.NoSuchProcess:
        return time.process_time()
    return time.process_time() + of_session.user + of_session.system
