"""Channels over REST, pages and the admin: whose they are, and what is never shown."""

from __future__ import annotations

import json
import re

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from tcpdashboard.common.alerts import end_alert, raise_alert
from tcpdashboard.common.alerts.delivering import deliver_alerts
from tcpdashboard.common.crypto import new_key
from tcpdashboard.common.models import Alert, AlertChannel, AlertDelivery
from tests.common.receivers import WebReceiver
from tests.people import make_staff

pytestmark = pytest.mark.django_db

URL = "/api/v1/alert-channels/"


@pytest.fixture(autouse=True)
def _sealed(settings):
    settings.ENCRYPTION_KEYS = [new_key()]
    settings.ALERT_PRIVATE_ADDRESSES = True


@pytest.fixture
def web():
    with WebReceiver().running() as receiver:
        yield receiver


def client_of(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ada():
    return client_of(get_user_model().objects.create_user("ada"))


@pytest.fixture
def bob():
    return client_of(get_user_model().objects.create_user("bob"))


@pytest.fixture
def staff():
    return client_of(make_staff())


def given(web, **values):
    url = f"http://127.0.0.1:{web.port}/hook/t0psecret"
    return {"name": "hook", "kind": "webhook", "secret": url, **values}


def post(client, url, body=None):
    return client.post(url, json.dumps(body or {}), content_type="application/json")


def test_a_channel_is_made_tested_changed_and_deleted(ada, web):
    made = post(ada, URL, given(web, quiet_from="22:00", quiet_to="07:00"))
    assert made.status_code == 201
    told = made.json()
    assert (told["owner"], told["address"]) == ("ada", "http://127.0.0.1")
    assert told["is_signed"] is False
    one = f"{URL}{told['id']}/"
    assert post(ada, f"{one}test/").json()["state"] == "sent"
    assert len(web.got) == 1
    patch = {"min_severity": "critical", "signing_key": "a key"}
    changed = ada.patch(one, json.dumps(patch), content_type="application/json").json()
    assert (changed["min_severity"], changed["is_signed"]) == ("critical", True)
    assert changed["quiet_to"] == "07:00:00"
    assert [row["event"] for row in ada.get(f"{one}deliveries/").json()] == ["test"]
    post(ada, f"{one}test/")
    assert "X-Signature-SHA256" in {name.title().replace("Sha", "SHA") for name in web.got[1][1]}
    assert ada.delete(one).status_code == 204
    assert not AlertChannel.objects.exists()


def test_what_gives_access_is_never_answered(ada, staff, web):
    made = post(ada, URL, given(web, signing_key="a-signing-key"))
    pages = [
        made.content,
        ada.get(URL).content,
        ada.get("/alerts/").content,
        staff.get(f"/admin/common/alertchannel/{made.json()['id']}/change/").content,
    ]
    for page in pages:
        assert b"t0psecret" not in page
        assert b"a-signing-key" not in page
        assert b"gAAAA" not in page


def test_wrong_fields_are_named(ada):
    answer = post(ada, URL, {"name": "x", "kind": "webhook", "secret": "nowhere"})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["secret"]
    answer = post(ada, URL, {"name": "x", "kind": "pigeon"})
    assert list(answer.json()["errors"]) == ["kind"]
    answer = post(ada, URL, {"name": "x", "kind": "email"})
    assert list(answer.json()["errors"]) == ["address"]


def test_a_name_is_used_once_by_each_person(ada, bob, web):
    assert post(ada, URL, given(web)).status_code == 201
    assert post(bob, URL, given(web)).status_code == 201
    answer = post(ada, URL, given(web))
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["name"])


def test_nobody_sees_or_touches_the_channels_of_others(ada, bob, staff, web):
    one = f"{URL}{post(ada, URL, given(web)).json()['id']}/"
    pk = AlertChannel.objects.get().pk
    for other in (bob, staff):
        assert other.get(URL).json() == []
        assert other.get(one).status_code == 404
        assert post(other, f"{one}test/").status_code == 404
        assert other.patch(one, "{}", content_type="application/json").status_code == 404
        assert other.delete(one).status_code == 404
        assert other.get(f"{one}deliveries/").status_code == 404
        for order in ("test", "switch", "delete"):
            assert other.post(f"/alerts/channels/{pk}/{order}").status_code == 404
    assert web.got == []


def test_everybodys_channels_are_for_staff_who_may_change_them(ada, staff, web):
    assert post(ada, URL, given(web, for_everybody=True)).status_code == 403
    made = post(staff, URL, given(web, for_everybody=True))
    assert (made.status_code, made.json()["owner"]) == (201, None)
    looker = client_of(get_user_model().objects.create_user("looker", is_staff=True))
    one = f"{URL}{made.json()['id']}/"
    assert looker.get(one).status_code == 200
    assert post(looker, f"{one}test/").status_code == 403
    assert looker.delete(one).status_code == 403
    assert ada.get(one).status_code == 404


def test_a_channel_keeps_its_kind_and_its_secret(ada, web):
    one = f"{URL}{post(ada, URL, given(web)).json()['id']}/"
    change = {"kind": "email", "address": "ada@example.org"}
    answer = ada.patch(one, json.dumps(change), content_type="application/json")
    assert list(answer.json()["errors"]) == ["kind"]
    ada.patch(one, json.dumps({"name": "other"}), content_type="application/json")
    assert post(ada, f"{one}test/").json()["state"] == "sent"


def test_the_page_makes_tests_switches_and_deletes_channels(ada, web):
    assert "Alerts are told on this page only" in ada.get("/alerts/").content.decode()
    form = given(web, min_severity="warning", time_zone="Europe/Berlin", tells_end="on")
    assert ada.post("/alerts/channels", form).status_code == 302
    row = AlertChannel.objects.get()
    assert (row.owner.username, row.time_zone, row.signing_key) == ("ada", "Europe/Berlin", None)
    answer = ada.post(f"/alerts/channels/{row.pk}/test", follow=True).content.decode()
    assert "The test was sent: 200 thanks" in answer
    assert re.search(r'data-tone="good">sent<', answer)
    ada.post(f"/alerts/channels/{row.pk}/switch")
    row.refresh_from_db()
    assert not row.is_enabled
    ada.post(f"/alerts/channels/{row.pk}/delete")
    assert not AlertChannel.objects.exists()


def test_the_page_says_what_is_wrong_and_keeps_what_was_typed(ada):
    form = {"name": "my phone", "kind": "telegram", "min_severity": "info", "time_zone": "Mars"}
    answer = ada.post("/alerts/channels", form)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "there is no time zone &#x27;Mars&#x27;" in page
    assert "as BotFather gave it" in page
    assert 'value="my phone"' in page
    assert not AlertChannel.objects.exists()


def test_the_help_of_a_field_is_where_the_field_says(ada):
    shown = ada.get("/alerts/").content.decode()
    told = re.findall(r'aria-describedby="(id_\w+_helptext)"', shown)
    assert told
    assert [name for name in told if f'id="{name}"' not in shown] == []


def test_only_staff_are_offered_a_channel_for_all_alerts(ada, staff, web):
    assert "for_everybody" not in ada.get("/alerts/").content.decode()
    assert "for_everybody" in staff.get("/alerts/").content.decode()
    form = given(web, min_severity="info", time_zone="UTC", for_everybody="on")
    ada.post("/alerts/channels", form)
    assert AlertChannel.objects.get().owner is not None
    staff.post("/alerts/channels", form)
    assert AlertChannel.objects.filter(owner=None).exists()


def test_a_persons_alert_is_seen_by_that_person_and_staff_only(ada, bob, staff):
    owner = get_user_model().objects.get(username="ada")
    raise_alert("strategy_error", "bots of ada", "it raised", owner_id=owner.pk)
    pk = Alert.objects.get().pk
    for client, is_seen in ((ada, True), (bob, False), (staff, True)):
        assert bool(client.get("/api/v1/alerts/").json()["results"]) is is_seen
        assert (client.get(f"/api/v1/alerts/{pk}/").status_code == 200) is is_seen
        assert ("it raised" in client.get("/alerts/").content.decode()) is is_seen
        counts = client.get("/api/v1/alerts/counts/").json()
        assert counts == {"open": int(is_seen), "unseen": int(is_seen)}
    assert post(bob, f"/api/v1/alerts/{pk}/acknowledge/").status_code == 404
    assert "data-acknowledge" in ada.get("/alerts/").content.decode()
    assert post(ada, f"/api/v1/alerts/{pk}/acknowledge/").json()["acknowledged_by"] == "ada"


def test_the_admin_lists_channels_and_messages_and_sends_tests(staff, web):
    post(staff, URL, given(web, for_everybody=True))
    raise_alert("feed_stale", "okx:BTC-USDT", "silent")
    deliver_alerts()
    end_alert("feed_stale", "okx:BTC-USDT")
    superuser = client_of(get_user_model().objects.create_superuser("root"))
    pk = AlertChannel.objects.get().pk
    chosen = {"action": "test", "_selected_action": [pk]}
    answer = superuser.post("/admin/common/alertchannel/", chosen, follow=True)
    assert [str(one) for one in answer.context["messages"]] == ["hook: sent, 200 thanks"]
    listed = superuser.get("/admin/common/alertdelivery/").content.decode()
    assert "feed_stale okx:BTC-USDT" in listed
    assert AlertDelivery.objects.filter(state="sent").count() == 2
    assert superuser.get("/admin/common/alertchannel/add/").status_code == 403
