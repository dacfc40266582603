"""Minutes that differ are looked at in the admin, and left as they are by a person."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from marketdata.models import CandleConflict, from_ms
from tests.marketdata.storage.builders import DAY, make_instrument

pytestmark = pytest.mark.django_db

LIST = reverse("admin:marketdata_candleconflict_changelist")


@pytest.fixture
def page(client):
    client.force_login(get_user_model().objects.create_superuser("root", password="x"))
    return client


@pytest.fixture
def conflict():
    theirs = dict.fromkeys(("their_open", "their_high", "their_low", "their_close"), 100.5)
    return CandleConflict.objects.create(
        instrument=make_instrument(),
        open_time=from_ms(DAY),
        kind="exchange",
        our_volume=3.25,
        their_volume=4.75,
        **theirs,
    )


def test_both_values_are_shown(page, conflict):
    content = page.get(LIST).content.decode()

    assert "3.25" in content
    assert "4.75" in content
    change = reverse("admin:marketdata_candleconflict_change", args=[conflict.pk])
    assert page.get(change).status_code == 200


def test_a_person_may_leave_a_minute_as_it_is(page, conflict):
    chosen = {"action": "keep", "_selected_action": [conflict.pk]}

    answer = page.post(LIST, chosen, follow=True)

    assert "1 candles stay as they are" in answer.content.decode()
    conflict.refresh_from_db()
    assert (conflict.state, conflict.how) == ("kept", "kept by root")
    assert conflict.settled_at is not None


def test_nothing_of_a_conflict_can_be_written_or_deleted(page, conflict):
    change = reverse("admin:marketdata_candleconflict_change", args=[conflict.pk])
    page.post(change, {"our_volume": "9"})
    delete = reverse("admin:marketdata_candleconflict_delete", args=[conflict.pk])

    assert page.post(delete).status_code == 403
    conflict.refresh_from_db()
    assert conflict.our_volume == 3.25
