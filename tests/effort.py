"""What something costs in seconds of a processor, however busy the machine is with other things."""

from __future__ import annotations

import time

import psutil
import pytest
from django.db import connection


def spent_here_s() -> float:
    """Return what this process has used."""
    return time.process_time()


def spent_with_children_s() -> float:
    """Return what this process and those that it started, and that still run, have used."""
    return time.process_time() + sum(map(_used_s, psutil.Process().children()))


def spent_s() -> float:
    """Return what this process and its session of the database have used.

    Skips the test where the database is on another machine: half of it would not be measured.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid(), inet_server_addr() = inet_client_addr()")
        session, is_here = cursor.fetchone()
    # Through a socket of the file system there are no addresses.
    if is_here is False:
        pytest.skip("the database is on another machine, which does not tell what it uses")
    return time.process_time() + _used_s(psutil.Process(session))


def _used_s(process: psutil.Process) -> float:
    used = process.cpu_times()
    return used.user + used.system
