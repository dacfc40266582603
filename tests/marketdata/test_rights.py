"""Who may change what is collected: the same people by REST, on pages and in the admin."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from marketdata.models import Collector, Instrument
from tcpdashboard.common.rights import may_change
from tests.marketdata.api.conftest import make_instrument
from tests.people import make_staff

pytestmark = pytest.mark.django_db

PEOPLE = {
    "an ordinary person": (lambda: get_user_model().objects.create_user("x"), False),
    "staff without the permission": (lambda: make_staff("x", "none"), False),
    "staff with the permission": (lambda: make_staff("x", "instrument"), True),
    "a superuser": (lambda: get_user_model().objects.create_superuser("x"), True),
}


@pytest.fixture(params=PEOPLE)
def person(request, client, settings):
    """Somebody who is logged in, and whether they may change instruments."""
    settings.EXCHANGE = "okx-sim"
    make, may = PEOPLE[request.param]
    client.force_login(make())
    return client, may


def test_every_door_asks_the_same_question(person):
    client, may = person
    make_instrument("BTC-USDT", is_enabled=True)
    rest = client.post("/api/v1/instruments/okx-sim/BTC-USDT/disable/")
    page = client.post("/markets/okx-sim/BTC-USDT/collection/", {"on": "0"})
    shown = (
        'action="/markets/okx-sim/BTC-USDT/collection/"'
        in client.get("/markets/?show=all").content.decode()
    )
    chosen = {"action": "disable", "_selected_action": [Instrument.objects.get().pk]}
    listing = client.post(reverse("admin:marketdata_instrument_changelist"), chosen)
    in_admin = listing.status_code == 302 and "login" not in listing["Location"]

    assert rest.status_code == (200 if may else 403)
    assert page.status_code == (302 if may else 403)
    assert shown == may
    assert in_admin == may


def test_rights_for_one_model_are_none_for_another():
    user = make_staff("x", "collector")
    assert may_change(user, Collector)
    assert not may_change(user, Instrument)


def test_the_permission_alone_is_not_enough():
    user = make_staff("x", "instrument")
    user.is_staff = False
    assert not may_change(user, Instrument)


def test_the_collector_of_an_instrument_is_chosen_by_the_service_alone(client):
    client.force_login(get_user_model().objects.create_superuser("x"))
    collector = Collector.objects.create(name="okx-sim", exchange="okx-sim")
    instrument = make_instrument("BTC-USDT")
    page = reverse("admin:marketdata_instrument_change", args=[instrument.pk])
    assert 'name="collector"' not in client.get(page).content.decode()
    client.post(page, {"collector": collector.pk})
    instrument.refresh_from_db()
    assert instrument.collector is None
