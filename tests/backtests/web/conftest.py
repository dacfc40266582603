"""People and finished backtests that the tests of the pages share."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model

from backtests.models import Backtest
from backtests.requests import BacktestRequest
from backtests.services import request_backtest
from tcpdashboard.common.jobs.runner import run_job
from tests.backtests.conftest import ASKED
from tests.marketdata.web.conftest import client_of
from tests.people import make_staff

FORM = {
    "strategy": "ema_crossover",
    "config": "",
    "params.fast": "3",
    "params.slow": "9",
    "params.sides": "long",
    "instrument": "okx-sim:BTC-USDT",
    "timeframe": "5m",
    "start": "2025-11-22T06:00",
    "end": "2025-11-24T00:00",
    "trading.cash": "10000",
    "trading.sizing": "fraction",
    "trading.size": "100",
    "tags": "first, second",
    "notes": "a try",
}


@pytest.fixture(autouse=True)
def _seen_by_no_other_session(settings):
    """Within a test's transaction another session, that of the renewal, finds no job: it waits."""
    settings.JOB_RENEW_SECONDS = 600


@pytest.fixture
def ann(db):
    return get_user_model().objects.create_user("ann")


@pytest.fixture
def trader(ann):
    return client_of(ann)


@pytest.fixture
def stranger(db):
    return client_of(get_user_model().objects.create_user("bob"))


@pytest.fixture
def staff(db):
    return client_of(make_staff())


@pytest.fixture
def done(btc, ann):
    """A finished backtest of ann's."""
    return finished(ann)


def finished(owner, tags=(), **changes):
    backtest = request_backtest(BacktestRequest(**{**ASKED, **changes}), owner, tags=tags)
    assert run_job(backtest.job_id) == "done"
    return Backtest.objects.select_related("instrument").get(pk=backtest.pk)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)
