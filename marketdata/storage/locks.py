"""Who may write: one transaction at a time, only the holder of the lease, no locked range."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from django.db import connection

from marketdata.collector.errors import LostLease
from marketdata.models import RangeLock, from_ms, to_ms

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

# The first key of the advisory locks on an instrument's trades and candles.
INSTRUMENT_DATA: Final = 7101


def lock_instrument(cursor: CursorWrapper, instrument_id: int) -> None:
    """Wait until no other transaction writes this instrument's data.

    What is read after this call stays true until the transaction ends, so that writing can look
    first and then copy straight into the table. Several instruments are locked in order of id.
    """
    cursor.execute("select pg_advisory_xact_lock(%s, %s)", [INSTRUMENT_DATA, instrument_id])


@contextmanager
def alone(key: int) -> Iterator[bool]:
    """Yield whether nobody else holds the turn `key`, on any machine, and hold it meanwhile.

    It is given back with the session at the latest.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s, 0)", [key])
        is_mine = bool(cursor.fetchone()[0])
    try:
        yield is_mine
    finally:
        if is_mine:
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(%s, 0)", [key])


def check_fence(cursor: CursorWrapper, collector_id: int | None, fencing_token: int | None) -> None:
    """Raise LostLease unless the collector's fencing token is still `fencing_token`.

    A take-over waits for this transaction, so nothing is written after the token has moved. None
    for writers without a lease.
    """
    if collector_id is None:
        return
    cursor.execute(
        "select 1 from marketdata_collector where id = %s and fencing_token = %s for share",
        [collector_id, fencing_token],
    )
    if cursor.fetchone() is None:
        raise LostLease(f"collector {collector_id} no longer has the token {fencing_token}")


def locked_ranges(instrument_id: int, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """Return the stretches [start, end) of [start_ms, end_ms) that a person has locked, ascending.

    Joined where they overlap or touch. Candles that open in one of them must not be changed.
    """
    rows = RangeLock.objects.filter(
        instrument_id=instrument_id, start__lt=from_ms(end_ms), end__gt=from_ms(start_ms)
    ).order_by("start")
    joined: list[tuple[int, int]] = []
    for start, end in rows.values_list("start", "end"):
        first, last = max(start_ms, to_ms(start)), min(end_ms, to_ms(end))
        if joined and first <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return joined
