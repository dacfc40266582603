"""Backtests and searches in the admin."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.db.models.functions import Now

from backtests.models import Backtest, Search
from backtests.requests import BacktestRequest
from backtests.searches import found_search, request_search
from backtests.searching.asking import SearchRequest
from backtests.services import request_backtest
from tcpdashboard.common.models import Job
from tests.backtests.conftest import ASKED
from tests.backtests.search.conftest import GRID
from tests.marketdata.web.conftest import client_of

URL = "/admin/backtests/backtest/"
SEARCHES = "/admin/backtests/search/"


@pytest.fixture
def chief(db):
    return client_of(get_user_model().objects.create_superuser("chief"))


def asked(owner, **told):
    return request_search(SearchRequest(**GRID), owner, **told)


def test_they_are_listed_and_shown_but_not_edited(done, chief):
    assert f'href="/backtests/{done.pk}/"' in chief.get(URL).content.decode()
    shown = chief.get(f"{URL}{done.pk}/change/").content.decode()
    assert done.result_hash in shown
    assert 'name="notes"' not in shown
    assert chief.get(f"{URL}add/").status_code == 403


def test_what_waits_is_cancelled(btc, ann, chief):
    backtest = request_backtest(BacktestRequest(**ASKED), ann)
    chief.post(URL, {"action": "cancel", "_selected_action": [backtest.pk]})
    assert Backtest.objects.get().state == "cancelled"


def test_they_are_deleted(done, chief):
    chosen = {"action": "delete_selected", "_selected_action": [done.pk], "post": "yes"}
    chief.post(URL, chosen)
    assert not Backtest.objects.exists()


def test_searches_are_listed_and_shown_but_not_edited(btc, ann, chief):
    search = asked(ann, notes="a wide one")
    listed = chief.get(SEARCHES, {"q": "wide"}).content.decode()
    assert f'href="/backtests/searches/{search.pk}/"' in listed
    assert "waiting" in listed
    shown = chief.get(f"{SEARCHES}{search.pk}/change/").content.decode()
    assert "a wide one" in shown
    assert 'name="notes"' not in shown
    assert chief.get(f"{SEARCHES}add/").status_code == 403


def test_a_search_that_waits_is_cancelled(btc, ann, chief):
    search = asked(ann)
    chief.post(SEARCHES, {"action": "cancel", "_selected_action": [search.pk]})
    assert found_search(search.pk).state == "cancelled"


def test_searches_are_deleted_but_not_while_they_are_at_work(btc, ann, chief):
    working, waiting = asked(ann), asked(ann)
    working.jobs.filter(pk=working.jobs.first().pk).update(state=Job.State.RUNNING)
    url = f"{SEARCHES}{working.pk}/delete/"
    assert "is at work: cancel it first" in chief.get(url).content.decode()
    for search in (working, waiting):
        chief.post(f"{SEARCHES}{search.pk}/delete/", {"post": "yes"})
    assert list(Search.objects.all()) == [working]
    working.jobs.update(state=Job.State.CANCELLED, finished_at=Now())
    chosen = {"action": "delete_selected", "_selected_action": [working.pk], "post": "yes"}
    chief.post(SEARCHES, chosen)
    assert not Search.objects.exists()
