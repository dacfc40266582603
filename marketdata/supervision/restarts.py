"""Writes down why a collector was started again, and when it was whole again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Count, F, Value
from django.db.models.functions import Coalesce, Greatest, Now

from marketdata.models import Collector, CollectorRestart, RestartReason
from marketdata.supervision.budget import COUNTED

if TYPE_CHECKING:
    from marketdata.supervision.lease import Lease

_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


def note_restart(before: Collector, lease: Lease) -> None:
    """Write down that `lease` was taken of a collector whose row was `before`.

    Nothing for the first start ever. An owner that is still named gave the lease back to nobody:
    its worker died, or stands still and will find out.
    """
    if before.started_at is None:
        return
    has_vanished = bool(before.lease_owner)
    reason = RestartReason.FAILOVER if has_vanished else before.ended_reason
    is_trouble = reason in (RestartReason.CRASH, RestartReason.STALLED)
    CollectorRestart.objects.create(
        collector=before,
        fencing_token=lease.token,
        reason=reason or RestartReason.ASKED,
        error=before.last_error if is_trouble else "",
        holder=lease.owner,
        down_since=before.heartbeat_at if has_vanished else before.ended_at,
    )


def note_live(lease: Lease) -> None:
    """Write down that everything is subscribed again."""
    rows = CollectorRestart.objects.filter(collector=lease.collector_id, live_at=None)
    rows.filter(fencing_token=lease.token).update(live_at=Now())


def note_lost(lease: Lease) -> None:
    """Write down, as the one that lost it, that the next holder's was no failover of the dead."""
    rows = CollectorRestart.objects.filter(
        collector=lease.collector_id, fencing_token=lease.token + 1
    )
    rows.filter(reason=RestartReason.FAILOVER).update(reason=RestartReason.LEASE_LOST)


def recent_restarts() -> dict[int, int]:
    """Return how often each collector was started again within the last hour without being asked.

    Those before a person last looked are forgiven; collectors without any are left out.
    """
    forgiven_at = Coalesce(F("collector__forgiven_at"), Value(_LONG_AGO))
    recent = CollectorRestart.objects.filter(
        at__gt=Greatest(Now() - timedelta(hours=1), forgiven_at), reason__in=COUNTED
    )
    counted = recent.order_by().values_list("collector").annotate(Count("pk"))
    return dict(counted)
