"""Raising and ending alerts, safely from any process at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import structlog
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection
from django.db.models.functions import Now

from tcpdashboard.common.alerts.telling import tell_alerts
from tcpdashboard.common.models import Alert
from tcpdashboard.common.models.alerts import AlertQuerySet

log = structlog.get_logger(__name__)

# One statement, so that two workers that see the same trouble at once make one row of it.
_RAISE: Final = """
insert into common_alert (kind, subject, severity, message, details, owner_id, count)
values (%s, %s, %s, %s, %s, %s, 1)
on conflict (kind, subject) where resolved_at is null do update set
    severity = excluded.severity, message = excluded.message, details = excluded.details,
    owner_id = excluded.owner_id,
    count = common_alert.count + 1, last_at = now()
returning count
"""


def raise_alert(
    kind: str,
    subject: str,
    message: str,
    *,
    severity: str = Alert.Severity.WARNING,
    details: Mapping[str, Any] | None = None,
    owner_id: int | None = None,
) -> bool:
    """Say that something is wrong; True when it was not known before.

    An alert of the same kind and subject that is still open is counted up instead. One of
    `owner_id`, a user, is seen by that person and staff only.
    """
    told = json.dumps(dict(details or {}))
    with connection.cursor() as cursor:
        cursor.execute(_RAISE, [kind, subject, severity, message, told, owner_id])
        is_new = bool(cursor.fetchone()[0] == 1)
    if is_new:
        log.warning("alert_raised", kind=kind, subject=subject, message=message)
        tell_alerts()
    return is_new


def end_alert(kind: str, subject: str) -> bool:
    """Say that it is over; False when there was no such alert."""
    ended = Alert.objects.open().filter(kind=kind, subject=subject).update(resolved_at=Now())
    if ended:
        log.info("alert_ended", kind=kind, subject=subject)
        tell_alerts()
    return bool(ended)


def acknowledge(alert: Alert, user: AbstractBaseUser) -> None:
    """Note who has seen the alert; the first one stays."""
    _acknowledge(Alert.objects.filter(pk=alert.pk), user)
    alert.refresh_from_db()


def acknowledge_all(
    user: AbstractBaseUser, kind: str = "", among: AlertQuerySet | None = None
) -> int:
    """Note that `user` has seen every open alert, or those of one kind; return how many were new.

    `among` narrows them further. An alert that is raised meanwhile stays unseen.
    """
    unseen = (Alert.objects.all() if among is None else among).unseen()
    return _acknowledge(unseen.filter(kind=kind) if kind else unseen, user)


def _acknowledge(alerts: AlertQuerySet, user: AbstractBaseUser) -> int:
    seen = alerts.filter(acknowledged_at=None).update(acknowledged_at=Now(), acknowledged_by=user)
    if seen:
        tell_alerts()
    return seen
