"""The books of every bot are compared, and whoever should know is told where they differ."""

from __future__ import annotations

import numpy as np
import pytest

from backtests.domain.records import STATE
from bots.models import Bot, Fill
from bots.reconciling import LEDGER_UNBALANCED, accounts, reconcile
from tcpdashboard.common.models import Alert
from tests.bots.test_parity import Market, trader

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]


@pytest.fixture
def bot(settings):
    """A bot that has traded a while."""
    settings.EXCHANGE = "okx-sim"
    market = Market(300)
    bot = trader(market)
    for _ in range(4):
        market.go(53)
    bot.refresh_from_db()
    assert Fill.objects.filter(bot=bot).count() > 5
    return bot


def test_the_ledger_the_fills_and_the_kernel_of_a_bot_agree(bot):
    assert reconcile() == {}
    (account,) = accounts()
    assert account.bot_id == bot.pk
    assert account.books.kernel == account.books.ledger == account.books.fills
    assert account.books.ledger.fees > 0
    assert not Alert.objects.exists()


def test_a_difference_raises_an_alert_with_the_numbers_and_its_end_ends_it(bot):
    right = bytes(bot.kernel)
    state = np.frombuffer(right, STATE).copy()
    state["cash"] += 10**9
    Bot.objects.filter(pk=bot.pk).update(kernel=state.tobytes())

    assert list(reconcile()) == [bot.pk]

    alert = Alert.objects.open().get(kind=LEDGER_UNBALANCED, subject=f"bot:{bot.pk}")
    told = alert.details["cash"]
    assert float(told["kernel"]) - float(told["ledger"]) == pytest.approx(1)
    assert told["ledger"] == told["fills"]
    assert alert.severity == Alert.Severity.CRITICAL
    assert alert.owner_id == bot.owner_id
    assert told["kernel"] in alert.message

    Bot.objects.filter(pk=bot.pk).update(kernel=right)
    assert reconcile() == {}
    assert not Alert.objects.open().exists()


def test_a_fill_that_says_something_else_than_the_ledger_is_found(bot):
    fill = Fill.objects.filter(bot=bot).first()
    Fill.objects.filter(pk=fill.pk).update(fee=fill.fee + 1)

    assert set(reconcile()[bot.pk]) == {"cash", "fees"}
