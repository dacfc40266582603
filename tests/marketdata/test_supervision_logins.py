"""A credential that the exchange refuses is told until it is taken."""

from __future__ import annotations

import pytest

from marketdata.models import Collector
from marketdata.supervision.logins import LOGIN_REFUSED, sweep_logins
from tcpdashboard.common.models import Alert

pytestmark = pytest.mark.django_db


def open_subjects():
    return list(Alert.objects.open().filter(kind=LOGIN_REFUSED).values_list("subject", flat=True))


def test_a_refused_credential_is_told_once_until_it_is_taken():
    reason = {"login_refused": "login refused with 60005 Invalid apiKey"}
    row = Collector.objects.create(name="okx", exchange="okx", counters=reason)
    Collector.objects.create(name="okx-2", exchange="okx", counters={"login_refused": ""})
    sweep_logins("okx")
    sweep_logins("okx")
    sweep_logins("okx-sim")
    alert = Alert.objects.open().get()
    assert (alert.kind, alert.subject) == (LOGIN_REFUSED, "okx")
    assert "60005 Invalid apiKey" in alert.message

    Collector.objects.filter(pk=row.pk).update(counters={"login_refused": ""})
    sweep_logins("okx")
    assert open_subjects() == []


def test_a_collector_that_is_wanted_no_more_is_told_of_no_more():
    row = Collector.objects.create(name="okx", exchange="okx", counters={"login_refused": "no"})
    sweep_logins("okx")
    assert open_subjects() == ["okx"]
    Collector.objects.filter(pk=row.pk).update(desired=Collector.Desired.STOPPED)
    sweep_logins("okx")
    assert open_subjects() == []
