"""Backtests in the admin."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model

from backtests.models import Backtest
from backtests.requests import BacktestRequest
from backtests.services import request_backtest
from tests.backtests.conftest import ASKED
from tests.marketdata.web.conftest import client_of

URL = "/admin/backtests/backtest/"


@pytest.fixture
def chief(db):
    return client_of(get_user_model().objects.create_superuser("chief"))


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
