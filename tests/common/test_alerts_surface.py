"""Alerts over REST, on their page, in the head of every page, and on their topic."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from django.utils import timezone

from tcpdashboard.common.alerts import acknowledge_all, end_alert, raise_alert
from tcpdashboard.common.models import Alert
from tcpdashboard.common.realtime import shared_publisher
from tcpdashboard.common.topics import ForbiddenTopic
from tcpdashboard.routing import TOPICS
from tests.people import make_staff

pytestmark = pytest.mark.django_db

URL = "/api/v1/alerts/"


def client_of(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def reader():
    return client_of(get_user_model().objects.create_user("reader"))


@pytest.fixture
def staff():
    return client_of(make_staff())


@pytest.fixture
def told():
    """Three alerts: one open, one acknowledged, one that has ended."""
    for subject in ("okx:BTC-USDT", "okx:ETH-USDT", "okx:SOL-USDT"):
        raise_alert("feed_stale", subject, f"no trade of {subject}")
    end_alert("feed_stale", "okx:SOL-USDT")
    Alert.objects.filter(subject="okx:ETH-USDT").update(acknowledged_at=timezone.now())


def subjects(client, **query):
    return [row["subject"][4:7] for row in client.get(URL, query).json()["results"]]


def test_alerts_are_listed_by_state_and_kind(reader, told):
    raise_alert("gap_unrepairable", "okx:XRP-USDT", "nothing is to be had")
    assert subjects(reader) == ["XRP", "SOL", "ETH", "BTC"]
    assert subjects(reader, state="open") == ["XRP", "ETH", "BTC"]
    assert subjects(reader, state="unseen") == ["XRP", "BTC"]
    assert subjects(reader, state="acknowledged") == ["ETH"]
    assert subjects(reader, state="ended") == ["SOL"]
    assert subjects(reader, kind="gap_unrepairable") == ["XRP"]


def test_an_unknown_state_is_refused_with_those_that_are_known(reader):
    answer = reader.get(URL, {"state": "lost"})
    assert answer.status_code == 400
    assert "expected one of open, unseen" in answer.content.decode()


def test_staff_acknowledge_one_alert_or_all(staff, told):
    raise_alert("gap_unrepairable", "okx:XRP-USDT", "nothing is to be had")
    one = Alert.objects.get(subject="okx:BTC-USDT")
    answer = staff.post(f"{URL}{one.pk}/acknowledge/").json()
    assert answer["acknowledged_by"] == "staff"
    assert staff.post(f"{URL}acknowledge/?kind=feed_stale").json() == {"acknowledged": 0}
    assert staff.post(f"{URL}acknowledge/").json() == {"acknowledged": 1}
    assert not Alert.objects.unseen().exists()


def test_others_may_look_but_not_acknowledge(reader, told):
    one = Alert.objects.unseen().get()
    assert reader.post(f"{URL}{one.pk}/acknowledge/").status_code == 403
    assert reader.post(f"{URL}acknowledge/").status_code == 403
    assert "data-acknowledge" not in reader.get("/alerts/").content.decode()


def test_every_page_has_a_bell_with_the_number_of_unseen_alerts(reader, told):
    bell = re.search(r'id="bell-count"[^>]*>(\d+)<', reader.get("/markets/").content.decode())
    assert bell[1] == "1"
    acknowledge_all(get_user_model().objects.create_user("ann"))
    content = reader.get("/markets/").content.decode()
    assert re.search(r'id="bell-count"[^>]*hidden>0<', content)


def test_the_page_lists_what_its_address_asks_for(staff, told):
    assert "no trade of okx:BTC-USDT" in staff.get("/alerts/").content.decode()
    ended = staff.get("/alerts/list?state=ended").content.decode()
    assert "no trade of okx:SOL-USDT" in ended
    assert "data-acknowledge" not in ended
    nonsense = staff.get("/alerts/?state=nonsense").content.decode()
    assert 'state=open" aria-current="true"' in nonsense


def test_with_nothing_wrong_the_page_says_so(reader):
    assert "Nothing is wrong." in reader.get("/alerts/").content.decode()


def test_who_is_logged_in_may_follow_alerts():
    TOPICS.authorise(get_user_model()(username="ann"), "alerts")
    with pytest.raises(ForbiddenTopic):
        TOPICS.authorise(AnonymousUser(), "alerts")


@pytest.mark.django_db(transaction=True)
def test_pages_are_told_when_alerts_come_are_seen_and_go():
    def counts():
        kept = shared_publisher().latest("alerts")
        return tuple(int(number) for number in re.findall(r"\d+", kept.payload))

    raise_alert("feed_stale", "okx:BTC-USDT", "silent")
    assert counts() == (1, 1)
    seq = shared_publisher().latest("alerts").seq
    raise_alert("feed_stale", "okx:BTC-USDT", "still silent")
    assert shared_publisher().latest("alerts").seq == seq
    acknowledge_all(get_user_model().objects.create_user("ann"))
    assert counts() == (1, 0)
    end_alert("feed_stale", "okx:BTC-USDT")
    assert counts() == (0, 0)
