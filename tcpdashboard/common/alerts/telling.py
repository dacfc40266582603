"""What browsers are told of alerts: topic `alerts`, for everybody who is logged in."""

from __future__ import annotations

import re
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, Q

from tcpdashboard.common.models import Alert
from tcpdashboard.common.realtime import notify
from tcpdashboard.common.topics import TopicRule

TOPIC: Final = "alerts"
TOPICS: Final = (TopicRule(re.compile(TOPIC)),)


def alert_counts(user: Any = None) -> dict[str, int]:
    """Return how many alerts are open, and how many of those nobody has acknowledged.

    Those that `user` may see; without one, those that everybody may see.
    """
    seen = Alert.objects.visible_to(user) if user else Alert.objects.filter(owner=None)
    unseen = Count("pk", filter=Q(acknowledged_at=None))
    counts: dict[str, Any] = seen.open().aggregate(open=Count("pk"), unseen=unseen)
    return counts


def tell_alerts() -> None:
    """Tell pages, after the commit, that alerts have changed. Never raises."""
    transaction.on_commit(_publish, robust=True)


def _publish() -> None:
    # One message for everybody: who may see more asks for the own figures when there are such.
    has_owned = Alert.objects.open().exclude(owner=None).exists()
    notify(TOPIC, {"alerts": alert_counts(), "has_owned": has_owned})
