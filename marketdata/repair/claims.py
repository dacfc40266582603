"""Whose turn a gap's repair is: a lease on the gap's row, kept by the database's clock."""

from __future__ import annotations

import os
import random
import secrets
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Value
from django.db.models.functions import Coalesce, Now

from marketdata.models import DataGap, DataGapQuerySet, GapState

LONGEST_RETRY_S: Final = 6 * 3600.0

LATE_ATTEMPTS: Final = 7
LATE_RETRY_S: Final = 24 * 3600.0
"""A gap that was given up is tried so often again, so far apart: exchanges mend their history."""

_CLAIMING: Final = 7103  # the advisory lock under which gaps are claimed

# Gaps of a lease that ran out are due at once: their worker is dead, or was stopped for too long.
_NEXT: Final = """
select gap.id from marketdata_datagap gap
join marketdata_instrument instrument on instrument.id = gap.instrument_id
where instrument.exchange = %s
    and ((gap.state = 'open' and gap.next_attempt_at <= now())
        or (gap.state = 'unrepairable' and gap.next_attempt_at <= now()
            and gap.attempts >= %s and gap.attempts < %s)
        or (gap.state = 'repairing' and gap.lease_expires_at < now()))
    and not exists (
        select 1 from marketdata_datagap other
        where other.instrument_id = gap.instrument_id and other.state = 'repairing'
            and other.lease_expires_at >= now()
    )
order by gap.next_attempt_at limit 1 for update of gap skip locked
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to repair one gap, until it is not renewed for the lease's length."""

    gap_id: int
    owner: str

    def rows(self) -> DataGapQuerySet:
        """Return the gap's row while the claim holds, otherwise nothing."""
        return DataGap.objects.filter(
            pk=self.gap_id, state=GapState.REPAIRING, lease_owner=self.owner
        )


def claim_next(exchange: str) -> Claim | None:
    """Take a due gap of `exchange`, one of each instrument at a time; None when nothing is to do.

    No more than REPAIRS_AT_ONCE gaps are held by all workers together.
    """
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"[-64:]
    with transaction.atomic(), connection.cursor() as cursor:
        # One claim at a time, or two workers would both see the last free place.
        cursor.execute("select pg_advisory_xact_lock(%s, 0)", [_CLAIMING])
        held = DataGap.objects.filter(state=GapState.REPAIRING, lease_expires_at__gte=Now())
        if held.count() >= settings.REPAIRS_AT_ONCE:
            return None
        given_up = settings.REPAIR_ATTEMPTS
        cursor.execute(_NEXT, [exchange, given_up, given_up + LATE_ATTEMPTS])
        found = cursor.fetchone()
        if found is None:
            return None
        DataGap.objects.filter(pk=found[0]).update(
            state=GapState.REPAIRING, lease_owner=owner, lease_expires_at=_expiry()
        )
    return Claim(found[0], owner)


def renew(claim: Claim) -> bool:
    """Extend the lease; False when the gap is no longer this worker's."""
    return bool(claim.rows().update(lease_expires_at=_expiry()))


def finish(claim: Claim, state: GapState, **values: Any) -> bool:
    """End the claim with a state of the gap; False when it was no longer this worker's."""
    return bool(claim.rows().move(state, **values))


def postpone(claim: Claim, reason: str, *, is_counted: bool) -> bool:
    """Give the gap back to be tried again later; False when it was no longer this worker's.

    The wait doubles with every counted attempt, with jitter. An attempt that could not ask the
    exchange is not counted.
    """
    gap = claim.rows().first()
    if gap is None:
        return False
    longest_s = min(LONGEST_RETRY_S, settings.REPAIR_RETRY_SECONDS * 2**gap.attempts)
    wait = timedelta(seconds=longest_s * random.uniform(0.5, 1.0))  # noqa: S311
    tried = {"first_tried_at": Coalesce("first_tried_at", Now())} if is_counted else {}
    return finish(
        claim,
        GapState.OPEN,
        **tried,
        reason=reason,
        attempts=F("attempts") + int(is_counted),
        next_attempt_at=_after(wait),
    )


def give_up(claim: Claim, reason: str, attempts: int) -> bool:
    """Call the gap unrepairable after `attempts`; False when it was no longer this worker's.

    It is tried again now and then. A final verdict leaves fewer attempts, and is final.
    """
    return finish(
        claim,
        GapState.UNREPAIRABLE,
        reason=reason,
        attempts=attempts,
        next_attempt_at=_after(timedelta(seconds=LATE_RETRY_S)),
    )


def hand_back(claim: Claim) -> bool:
    """Give the gap back as it is, due at once: this worker's time is over."""
    return finish(claim, GapState.OPEN, next_attempt_at=Now())


def _expiry() -> ExpressionWrapper[Any]:
    return _after(timedelta(seconds=settings.REPAIR_LEASE_SECONDS))


def _after(wait: timedelta) -> ExpressionWrapper[Any]:
    return ExpressionWrapper(Now() + Value(wait), output_field=DateTimeField())
