"""Alerts: one row a trouble, however often it is seen."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model

from tcpdashboard.common.alerts import acknowledge, end_alert, raise_alert
from tcpdashboard.common.models import Alert

pytestmark = pytest.mark.django_db


def test_the_same_trouble_counts_up_and_keeps_its_row():
    assert raise_alert("feed_stale", "okx:BTC-USDT", "no trade for 60 s")
    assert not raise_alert("feed_stale", "okx:BTC-USDT", "no trade for 90 s", details={"s": 90})
    alert = Alert.objects.get()
    assert (alert.count, alert.message, alert.details) == (2, "no trade for 90 s", {"s": 90})


def test_a_trouble_that_comes_back_is_a_new_alert():
    raise_alert("feed_stale", "okx:BTC-USDT", "silent")
    assert end_alert("feed_stale", "okx:BTC-USDT")
    assert raise_alert("feed_stale", "okx:BTC-USDT", "silent again")
    assert Alert.objects.count() == 2
    assert Alert.objects.open().count() == 1


def test_ending_what_was_never_raised_is_no_error():
    assert not end_alert("feed_stale", "okx:BTC-USDT")


def test_the_first_person_who_acknowledges_is_kept():
    first, second = (get_user_model().objects.create_user(name) for name in ("ann", "bob"))
    raise_alert("feed_stale", "okx:BTC-USDT", "silent")
    alert = Alert.objects.get()
    acknowledge(alert, first)
    acknowledge(alert, second)
    assert alert.acknowledged_by == first
    assert not Alert.objects.unseen().exists()
