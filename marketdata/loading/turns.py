"""Whose history is loaded next, so many at once, and each by one worker only."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db import connection
from django.db.models import F, Q
from django.db.models.functions import Now

from marketdata.exchanges import collected_exchanges
from marketdata.models import Instrument

SEAM: Final = timedelta(minutes=10)
"""After loading, and after a collector's start, the history is looked at again for so long."""

LOADS_AT_ONCE: Final = 6
"""The exchange's limit is shared by all loads, so more of them would only fill the workers."""

_LOCK: Final = 7102  # first key of the advisory locks on an instrument's loading


def due_histories() -> list[int]:
    """Return enabled instruments whose history is to be loaded or looked at again.

    Those never loaded come first; no more than may be loaded now beside the running loads.
    """
    recently, loading = Now() - SEAM, _loading()
    due = (
        Instrument.objects.enabled()
        .filter(exchange__in=collected_exchanges())
        .filter(
            Q(history_loaded_at=None)
            | Q(history_loaded_at__gt=recently)
            | Q(collector__started_at__gt=recently)
        )
        .exclude(pk__in=loading)
        .order_by(F("history_loaded_at").asc(nulls_first=True), "pk")
        .values_list("pk", flat=True)
    )
    return list(due[: max(0, LOADS_AT_ONCE - len(loading))])


def _loading() -> set[int]:
    """Return the instruments that are being loaded now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select objid from pg_locks where locktype = 'advisory' and classid = %s and granted"
            " and database = (select oid from pg_database where datname = current_database())",
            [_LOCK],
        )
        return {row[0] for row in cursor.fetchall()}


def take_turn(instrument_id: int) -> bool:
    """Lock the instrument's loading for this connection; False when it is not its turn.

    It ends with the connection, also by a crash.
    """
    if len(_loading()) >= LOADS_AT_ONCE:
        return False
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s, %s)", [_LOCK, instrument_id])
        return bool(cursor.fetchone()[0])
