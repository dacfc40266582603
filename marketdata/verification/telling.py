"""Tells people of minutes that stay different from the exchange's."""

from __future__ import annotations

from typing import Final

from django.db.models import Count

from marketdata.models import CandleConflict, Instrument
from marketdata.verification.due import ATTEMPTS
from tcpdashboard.common.alerts import end_alert, raise_alert
from tcpdashboard.common.models import Alert

ALERT: Final = "candles_differ"


def tell_conflicts(exchange: str) -> None:
    """Raise and end the alerts for minutes that differ although their trades came again.

    One alert for each instrument that has such minutes; it counts up when their number changes.
    """
    counts = dict(
        CandleConflict.objects.filter(
            instrument__exchange=exchange,
            kind=CandleConflict.Kind.EXCHANGE,
            state=CandleConflict.State.OPEN,
            attempts__gte=ATTEMPTS,
        )
        .order_by()
        .values_list("instrument_id")
        .annotate(number=Count("pk"))
    )
    numbers = {str(one): counts[one.pk] for one in Instrument.objects.filter(pk__in=counts)}
    known = {alert.subject: alert for alert in Alert.objects.open().filter(kind=ALERT)}
    for subject in known.keys() - numbers.keys():
        if subject.startswith(f"{exchange}:"):
            end_alert(ALERT, subject)
    for subject, number in numbers.items():
        if subject not in known or known[subject].details.get("minutes") != number:
            raise_alert(
                ALERT,
                subject,
                f"{number} minutes of {subject} differ from the exchange's own candles, also with "
                "their trades fetched again: both are kept, and the Data page "
                "lists them",
                details={"minutes": number},
            )
