"""Two people with a bot each, and somebody who administers."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache

from tests.bots.web.rows import add_everything, make_bot, run_bot
from tests.marketdata.web.conftest import client_of, make_instrument
from tests.people import make_staff


@pytest.fixture(autouse=True)
def _own_exchange(settings):
    settings.EXCHANGE = "okx-sim"
    cache.clear()


@pytest.fixture
def btc(db):
    return make_instrument("BTC-USDT", is_enabled=True)


@pytest.fixture
def ann(db):
    return get_user_model().objects.create_user("ann")


@pytest.fixture
def bob(db):
    return get_user_model().objects.create_user("bob")


@pytest.fixture
def staff(db):
    return make_staff("staff")


@pytest.fixture
def browser_of():
    """Return a logged-in client of somebody."""
    return client_of


@pytest.fixture
def anns(ann, btc):
    """A bot of Ann's that runs and has a row of every kind."""
    bot = make_bot(ann, btc, "anns")
    add_everything(run_bot(bot))
    bot.refresh_from_db()
    return bot
