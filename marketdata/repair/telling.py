"""Tells people of gaps: alerts for those that cannot be repaired, and the live list."""

from __future__ import annotations

from typing import Final

from django.db.models import Count

from marketdata.models import DataGap, GapState, Instrument
from marketdata.publishing import publish_gaps
from marketdata.repair.listing import gap_overview
from tcpdashboard.common.alerts import end_alert, raise_alert
from tcpdashboard.common.models import Alert

ALERT: Final = "gap_unrepairable"


def tell_gaps() -> None:
    """Raise and end the alerts for unrepairable gaps, and publish how all gaps stand.

    One alert for each instrument that has such gaps; it counts up when there are more.
    """
    counts = dict(
        DataGap.objects.live()
        .filter(state=GapState.UNREPAIRABLE)
        .order_by()
        .values_list("instrument_id")
        .annotate(number=Count("pk"))
    )
    subjects = {str(one): one for one in Instrument.objects.filter(pk__in=counts)}
    known = {alert.subject: alert for alert in Alert.objects.open().filter(kind=ALERT)}
    for subject in known.keys() - subjects.keys():
        end_alert(ALERT, subject)
    for subject, instrument in subjects.items():
        number = counts[instrument.pk]
        if subject not in known or known[subject].details.get("gaps") != number:
            _raise(instrument, number)
    publish_gaps(gap_overview())


def _raise(instrument: Instrument, number: int) -> None:
    newest = (
        instrument.gaps.live()
        .filter(state=GapState.UNREPAIRABLE)
        .order_by("-opened_at", "-pk")
        .first()
    )
    reason = "" if newest is None else f", the newest because {newest.reason}"
    raise_alert(
        ALERT,
        str(instrument),
        f"{number} gaps of {instrument} cannot be repaired{reason}: try again on the Data page, "
        "or import what is missing",
        details={"gaps": number},
    )
