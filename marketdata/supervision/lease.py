"""The lease on a collector: at most one holder, by the database's own clock.

Every take-over raises the fencing token, which each write transaction checks first. So a holder
that was thought dead and wakes up again can write nothing.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import DateTimeField, ExpressionWrapper, Q, QuerySet, Value
from django.db.models.functions import Now

from marketdata.domain.records import InstrumentSpec
from marketdata.models import Collector, Instrument, RestartReason, from_ms
from marketdata.supervision.restarts import note_live, note_restart


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run one collector, until it is not renewed for the lease's length."""

    collector_id: int
    owner: str
    token: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a holder writes to the collector's row when it renews.

    Counters and channels are None between two full reports. `is_live_now`: it was not before.
    """

    state: Collector.State
    counters: dict[str, Any] | None = None
    exchange_ms: int | None = None
    error: str = ""
    channels: dict[str, Any] | None = None
    health: str = ""
    is_live_now: bool = False


@dataclass(frozen=True, slots=True)
class Orders:
    """What the row asks of its holder."""

    is_wanted: bool
    is_restart: bool
    instruments: frozenset[InstrumentSpec]
    swaps: frozenset[str] = frozenset()


def acquire(collector_id: int, *, is_swept: bool = True) -> Lease | None:
    """Take the lease when nobody holds it, raising the fencing token; None when somebody does.

    With `is_swept` the collector must also be wanted; a foreground run asks for itself.
    """
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"[-128:]
    wanted = {"desired": Collector.Desired.RUNNING} if is_swept else {}
    with transaction.atomic():
        free = Collector.objects.select_for_update().filter(_free(), pk=collector_id, **wanted)
        before = free.first()
        if before is None:
            return None
        lease = Lease(collector_id, owner, before.fencing_token + 1)
        Collector.objects.filter(pk=collector_id).update(
            lease_owner=owner,
            lease_expires_at=_expiry(),
            fencing_token=lease.token,
            started_at=Now(),
            heartbeat_at=Now(),
            state=Collector.State.STARTING,
            health=Collector.Health.CONNECTING,
        )
        if is_swept:
            note_restart(before, lease)
    return lease


def renew(lease: Lease, report: Report) -> Orders | None:
    """Extend the lease, write the report and return what the row asks; None when it was lost.

    A lease that ran out but was taken by nobody (the database was away) is renewed.
    """
    held = _held(lease).update(lease_expires_at=_expiry(), heartbeat_at=Now(), **_reported(report))
    if held and report.is_live_now:
        note_live(lease)
    return _orders(lease) if held else None


def release(
    lease: Lease,
    report: Report,
    *,
    at_once: bool,
    reason: RestartReason = RestartReason.ASKED,
) -> bool:
    """Give the lease back; False when it was not held any more.

    With `at_once` the next sweep may start the collector again immediately; after a failure it
    waits until the last request is old enough. `reason` is what the next start will be due to.
    """
    values = _reported(report) | ({"requested_at": None} if at_once else {})
    ended = {"ended_at": Now(), "ended_reason": reason, "health": ""}
    return bool(_held(lease).update(lease_owner="", lease_expires_at=None, **(values | ended)))


def due(exchange: str, resting: Collection[int] = ()) -> list[int]:
    """Return the collectors that should run and have no holder, each once per lease length.

    The request is stamped by the statement that finds it, so any number of sweeps may run. Those
    that are `resting` after too many failures are left alone, and so are those whose rows somebody
    holds: a writer that stands still in a transaction delays the take-over of no other.
    """
    values = {
        "exchange": exchange,
        "again": settings.COLLECTOR_LEASE_SECONDS,
        "resting": list(resting),
    }
    with connection.cursor() as cursor:
        cursor.execute(_DUE, values)
        return [row[0] for row in cursor.fetchall()]


_DUE = """
    with free as (
      select id from marketdata_collector collector
      where exchange = %(exchange)s and desired = 'running' and not id = any(%(resting)s::bigint[])
        and (lease_expires_at is null or lease_expires_at < now())
        and (requested_at is null or requested_at < now() - make_interval(secs => %(again)s))
        and exists (
          select 1 from marketdata_instrument
          where collector_id = collector.id and is_enabled
        )
      order by id for update skip locked
    )
    update marketdata_collector collector
    set requested_at = now(), state = 'starting'
    from free where collector.id = free.id
    returning collector.id
"""


def _free() -> Q:
    return Q(lease_expires_at=None) | Q(lease_expires_at__lt=Now())


def _held(lease: Lease) -> QuerySet[Collector]:
    return Collector.objects.filter(
        pk=lease.collector_id, lease_owner=lease.owner, fencing_token=lease.token
    )


def _expiry() -> ExpressionWrapper[Any]:
    length = Value(timedelta(seconds=settings.COLLECTOR_LEASE_SECONDS))
    return ExpressionWrapper(Now() + length, output_field=DateTimeField())


def _reported(report: Report) -> dict[str, Any]:
    values: dict[str, Any] = {"state": report.state}
    if report.health:
        values["health"] = report.health
    if report.channels is not None:
        values["channels"] = report.channels
    if report.counters is not None:
        values["counters"] = report.counters
    if report.exchange_ms is not None:
        values["exchange_time"] = from_ms(report.exchange_ms)
    if report.error:
        values |= {"last_error": report.error, "last_error_at": Now()}
    return values


def _orders(lease: Lease) -> Orders:
    row = Collector.objects.get(pk=lease.collector_id)
    asked, started = row.restart_requested_at, row.started_at
    enabled = list(row.instruments.enabled())
    return Orders(
        is_wanted=row.desired == Collector.Desired.RUNNING,
        is_restart=asked is not None and started is not None and asked > started,
        instruments=frozenset(instrument.spec for instrument in enabled),
        swaps=frozenset(one.symbol for one in enabled if one.kind == Instrument.Kind.SWAP),
    )
