"""Telling alerts through channels: each opening once, and its end once, whatever happens between.

Which deliveries there should be is read from the alerts, so that none is lost with a process. A
delivery is claimed by moving its next time, so that two workers do not send it at once; one whose
worker died meanwhile is sent again, under the same key.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from tcpdashboard.common.alerts.messages import message_of
from tcpdashboard.common.alerts.quiet import quiet_until
from tcpdashboard.common.alerts.raising import end_alert, raise_alert
from tcpdashboard.common.alerts.senders import NotSent, send
from tcpdashboard.common.models import Alert, AlertChannel, AlertDelivery

FAILED_ALERT: Final = "delivery_failed"
RETRY_AFTER: Final = tuple(
    timedelta(seconds=seconds) for seconds in (15, 60, 300, 1800, 7200, 21_600)
)
"""Pauses after failed attempts; a delivery that has used them all has failed."""
_CLAIM: Final = timedelta(seconds=90)
_MOST_AT_ONCE: Final = 50
_KEPT: Final = timedelta(days=90)

log = structlog.get_logger(__name__)

# Severities are few: an array of those that the channel tells is compared with.
_PLAN_OPENED: Final = """
insert into common_alertdelivery (channel_id, alert_id, event, state, attempts, response)
select %s, id, 'opened', 'waiting', 0, '' from common_alert
where resolved_at is null and first_at >= %s and severity = any(%s)
    and (%s::bigint is null or owner_id is null or owner_id = %s)
    and not (kind = %s and subject = %s)
on conflict (channel_id, alert_id, event) do nothing
"""
_PLAN_ENDED: Final = """
insert into common_alertdelivery (channel_id, alert_id, event, state, attempts, response)
select told.channel_id, told.alert_id, 'ended', 'waiting', 0, ''
from common_alertdelivery told
join common_alert on common_alert.id = told.alert_id
join common_alertchannel on common_alertchannel.id = told.channel_id
where told.event = 'opened' and told.state = 'sent' and tells_end and is_enabled
    and resolved_at is not null and told.created_at > now() - interval '30 days'
    and not exists (
        select from common_alertdelivery same where same.channel_id = told.channel_id
            and same.alert_id = told.alert_id and same.event = 'ended'
    )
on conflict (channel_id, alert_id, event) do nothing
"""


def deliver_alerts() -> int:
    """Plan what is to be told, send what is due; return how many messages were sent."""
    plan_deliveries()
    sent = 0
    for _ in range(_MOST_AT_ONCE):
        delivery = _claimed()
        if delivery is None:
            break
        sent += _try(delivery)
    return sent


def plan_deliveries() -> None:
    """Write down a delivery for each opening and each end that a channel should tell."""
    for channel in AlertChannel.objects.filter(is_enabled=True):
        values = [
            *(channel.pk, channel.created_at, list(channel.severities)),
            *(channel.owner_id, channel.owner_id, FAILED_ALERT, _subject(channel)),
        ]
        with connection.cursor() as cursor:
            cursor.execute(_PLAN_OPENED, values)
    with connection.cursor() as cursor:
        cursor.execute(_PLAN_ENDED)


def prune_deliveries() -> int:
    """Delete what was told of alerts that ended long ago; return how many."""
    old = AlertDelivery.objects.filter(created_at__lt=Now() - _KEPT)
    # Of one that is still open it says that it was told.
    ended = old.filter(Q(alert=None) | Q(alert__resolved_at__lt=Now() - _KEPT))
    return ended.exclude(state=AlertDelivery.State.WAITING).delete()[0]


def test_channel(channel: AlertChannel) -> AlertDelivery:
    """Send a test at once, whatever the hour; return what became of it. It is not tried again."""
    delivery = AlertDelivery.objects.create(
        channel=channel, event=AlertDelivery.Event.TEST, attempts=1, next_at=Now() + _CLAIM
    )
    delivery.refresh_from_db()
    _try(delivery, is_last=True)
    delivery.refresh_from_db()
    return delivery


@transaction.atomic
def _claimed() -> AlertDelivery | None:
    """Return the next delivery that is due, claimed; a channel sends one at a time."""
    sending = AlertDelivery.objects.filter(
        channel=OuterRef("channel"), state="waiting", claimed_until__gt=Now()
    )
    due = AlertDelivery.objects.filter(
        ~Exists(sending), state=AlertDelivery.State.WAITING, next_at__lte=Now()
    ).exclude(event=AlertDelivery.Event.TEST)
    row = due.order_by("next_at", "pk").select_for_update(skip_locked=True).first()
    if row is None:
        return None
    claim = {"attempts": F("attempts") + 1, "next_at": Now() + _CLAIM}
    AlertDelivery.objects.filter(pk=row.pk).update(claimed_until=Now() + _CLAIM, **claim)
    return AlertDelivery.objects.select_related("channel", "alert").get(pk=row.pk)


def _try(delivery: AlertDelivery, *, is_last: bool = False) -> bool:
    """Send a claimed delivery, or say why not; return whether it was sent."""
    channel = delivery.channel
    if not is_last and (why := _why_idle(delivery)):
        _finish(delivery, AlertDelivery.State.SKIPPED, why)
        return False
    if not is_last and (until := _quiet_until(delivery)):
        held = {"attempts": delivery.attempts - 1, "claimed_until": None}
        _update(delivery, next_at=until, response="waits for the end of quiet hours", **held)
        return False
    try:
        answer = send(channel, message_of(delivery))
    except NotSent as error:
        _failed(delivery, error, is_last=is_last)
        return False
    _finish(delivery, AlertDelivery.State.SENT, answer)
    end_alert(FAILED_ALERT, _subject(channel))
    return True


def _why_idle(delivery: AlertDelivery) -> str:
    """Return why nobody needs to be told any more; empty when somebody does."""
    if not delivery.channel.is_enabled:
        return "the channel was switched off"
    alert = delivery.alert
    is_opening = delivery.event == AlertDelivery.Event.OPENED
    if is_opening and alert is not None and alert.resolved_at is not None:
        return "it was over before it could be told"
    return ""


def _quiet_until(delivery: AlertDelivery) -> datetime | None:
    channel, alert = delivery.channel, delivery.alert
    if channel.quiet_from is None or channel.quiet_to is None or alert is None:
        return None
    is_loud = alert.severity == Alert.Severity.CRITICAL and not channel.is_quiet_for_critical
    if is_loud:
        return None
    zone = ZoneInfo(channel.time_zone)
    return quiet_until(timezone.now(), channel.quiet_from, channel.quiet_to, zone)


def _failed(delivery: AlertDelivery, error: NotSent, *, is_last: bool) -> None:
    log.warning("alert_not_delivered", channel=delivery.channel_id, reason=str(error))
    if not (is_last or error.is_final or delivery.attempts > len(RETRY_AFTER)):
        pause = RETRY_AFTER[delivery.attempts - 1]
        _update(delivery, next_at=Now() + pause, response=str(error), claimed_until=None)
        return
    _finish(delivery, AlertDelivery.State.FAILED, str(error))
    if is_last:
        return
    channel = delivery.channel
    told = f"Alerts do not reach the channel {channel}: {error}. Test it on the Alerts page."
    raise_alert(FAILED_ALERT, _subject(channel), told, owner_id=channel.owner_id)


def _finish(delivery: AlertDelivery, state: AlertDelivery.State, response: str) -> None:
    _update(delivery, state=state, response=response, finished_at=Now(), claimed_until=None)


def _update(delivery: AlertDelivery, *, response: str, **values: object) -> None:
    # Whoever took it over meanwhile has raised `attempts`.
    mine = AlertDelivery.objects.filter(
        pk=delivery.pk, state=AlertDelivery.State.WAITING, attempts=delivery.attempts
    )
    mine.update(response=response[:300], **values)


def _subject(channel: AlertChannel) -> str:
    return f"channel {channel.pk}: {channel.name}"
