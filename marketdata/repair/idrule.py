"""When an exchange leaves ids out for good, ids of that instrument prove nothing any more."""

from __future__ import annotations

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from marketdata.models import Instrument
from tcpdashboard.common.alerts import end_alert, raise_alert

ALERT = "id_rule_suspended"


def note_found(instrument: Instrument) -> None:
    """Note that missing ids turned out to be trades."""
    Instrument.objects.filter(pk=instrument.pk, id_holes_unfound__gt=0).update(id_holes_unfound=0)


def note_nothing_found(instrument: Instrument) -> None:
    """Note a gap whose ids the exchange leaves out; many in a row suspend the id rule."""
    row = Instrument.objects.filter(pk=instrument.pk)
    row.update(id_holes_unfound=F("id_holes_unfound") + 1)
    suspended = row.filter(
        id_rule_suspended_at=None, id_holes_unfound__gte=settings.ID_RULE_HOLES
    ).update(id_rule_suspended_at=Now())
    if suspended:
        raise_alert(
            ALERT,
            str(instrument),
            f"{settings.ID_RULE_HOLES} gaps of trade ids in a row of {instrument} do not exist on "
            "the exchange: missing ids are no gaps there until the rule is resumed on the "
            "instrument's admin page, or ids follow each other again",
        )


def resume_id_rule(instrument: Instrument) -> bool:
    """Let missing ids be gaps again; False when they are."""
    resumed = Instrument.objects.filter(
        pk=instrument.pk, id_rule_suspended_at__isnull=False
    ).update(id_rule_suspended_at=None, id_holes_unfound=0)
    end_alert(ALERT, str(instrument))
    return bool(resumed)
