"""What a delivery says."""

from __future__ import annotations

from typing import Any, Final

from tcpdashboard.common.alerts.senders import Message
from tcpdashboard.common.models import AlertDelivery

_LONGEST_TITLE: Final = 200
_WORDS: Final = {AlertDelivery.Event.OPENED: "", AlertDelivery.Event.ENDED: "Over: "}


def message_of(delivery: AlertDelivery) -> Message:
    """Return the message of a delivery; without an alert it is a test."""
    key = f"alert-{delivery.channel_id}-{delivery.pk}"
    alert = delivery.alert
    if alert is None:
        told = "This is a test: alerts of this channel get through."
        return Message(key, "TCPDashboard: test", told, {"event": "test", "message": told})
    word = _WORDS[AlertDelivery.Event(delivery.event)]
    what = f"{word}{alert.kind.replace('_', ' ')}: {alert.subject}"
    title = " ".join(f"[{alert.severity}] {what}".split())[:_LONGEST_TITLE]
    since = f"Since {alert.first_at:%Y-%m-%d %H:%M} UTC"
    until = f", over since {alert.resolved_at:%Y-%m-%d %H:%M} UTC" if alert.resolved_at else ""
    facts: dict[str, Any] = {
        "event": delivery.event,
        "alert": alert.pk,
        "kind": alert.kind,
        "subject": alert.subject,
        "severity": alert.severity,
        "message": alert.message,
        "details": alert.details,
        "first_at": alert.first_at.isoformat(),
        "resolved_at": alert.resolved_at and alert.resolved_at.isoformat(),
    }
    return Message(key, title, f"{alert.message}\n{since}{until}.", facts)
