"""A process that stands still in the middle of a COPY holds its locks for a bounded time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import OperationalError, connection

from marketdata.models import Collector, Trade
from marketdata.storage import DatabaseSink
from marketdata.supervision.lease import acquire
from marketdata.supervision.standstill import end_standstills
from tests.marketdata.storage.builders import DAY, batch, make_instrument, tape
from tests.patience import PATIENCE_S, Patience

pytestmark = pytest.mark.django_db(transaction=True)

WRITER = """
import os, signal, sys
import django
django.setup()
from django.db import connection, transaction
from marketdata.storage import locks


class StopsHalfway:
    def read(self, size):
        print("copying", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
        return b""


with transaction.atomic(), connection.cursor() as cursor:
    locks.check_fence(cursor, int(sys.argv[1]), 1)
    locks.lock_instrument(cursor, int(sys.argv[2]))
    cursor.cursor.copy_expert("copy marketdata_trade from stdin", StopsHalfway())
"""


@pytest.mark.slow
def test_a_writer_that_stands_still_inside_a_copy_is_taken_over_from():
    instrument = make_instrument()
    collector = Collector.objects.create(name="okx", exchange="okx", fencing_token=1)
    database = urlsplit(os.environ["DATABASE_URL"])
    database = database._replace(path=f"/{connection.settings_dict['NAME']}")
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(collector.pk), str(instrument.pk)],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": database.geturl(), "REDIS_URL": settings.REDIS_URL},
        stdout=subprocess.PIPE,
    )
    try:
        assert writer.stdout.readline() == b"copying\n"
        lease = taken_over(collector)
        assert writer.poll() is None
        DatabaseSink(collector.pk, "okx", lease.token).commit(batch(trades=tape(DAY, [100.0])))
        assert Trade.objects.count() == 1
    finally:
        writer.send_signal(signal.SIGCONT)
        writer.kill()
        writer.wait(PATIENCE_S)
        writer.stdout.close()


def test_sessions_that_wait_for_no_writer_are_left_alone():
    assert end_standstills(after_s=0.0) == 0


def taken_over(collector):
    """Take the lease as sweeps do: again and again, each time waiting a moment for the row."""
    patience = Patience()
    while not patience.is_over():
        end_standstills(after_s=1.0)
        try:
            if lease := acquire(collector.pk):
                return lease
        except OperationalError:
            continue
    pytest.fail("nobody could take over")
