"""Who may write: one transaction at a time for an instrument, and only the holder of the lease."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from marketdata.collector.errors import LostLease

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

# The first key of the advisory locks on an instrument's trades and candles.
_INSTRUMENT_DATA: Final = 7101


def lock_instrument(cursor: CursorWrapper, instrument_id: int) -> None:
    """Wait until no other transaction writes this instrument's data.

    What is read after this call stays true until the transaction ends, so that writing can look
    first and then copy straight into the table. Several instruments are locked in order of id.
    """
    cursor.execute("select pg_advisory_xact_lock(%s, %s)", [_INSTRUMENT_DATA, instrument_id])


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
