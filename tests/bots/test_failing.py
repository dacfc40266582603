"""Strategies and steps that fail stop their own bots, which still leave as ordered."""

from __future__ import annotations

import pytest

from bots.changes import change_state
from bots.manager import BotManager
from bots.models import BotCommand, BotPerformance, BotRun
from bots.services import flatten_bot, kill_bots, stop_bot
from marketdata.models import from_ms
from tests.bots.scenes import FREE, at, fed, fills, fresh, long_bot, place, trader
from tests.bots.stepping import make_trader, started, step
from tests.bots.stories import feed, open_minute

pytestmark = pytest.mark.django_db


def test_a_strategy_that_fails_stops_its_own_bots_only(market, monkeypatch):
    from strategies.domain.builtin.rsi import Rsi

    feed(market, 100, 100, 100)
    good = started(trader(market), at_ms=at(3))
    bad = started(make_trader(market, {}, strategy="rsi", name="bad", trading=FREE), at_ms=at(3))
    feed(market, 100, start=3)
    step(market)

    def fail(self, state, candle):
        raise ZeroDivisionError("by nothing")

    with monkeypatch.context() as patch:
        patch.setattr(Rsi, "step", fail)
        feed(market, 100, 101, start=4, before=100)
        stepped = BotManager().step(market.pk)
    assert stepped.failed == (bad.pk,)
    assert (fresh(bad).state, bad.trouble) == ("error", "strategy_error")
    assert bad.last_error == "ZeroDivisionError: by nothing"
    assert "in fail" in bad.last_traceback
    assert (fresh(good).state, place(good)) == ("running", (6, 0))
    assert BotRun.objects.get(bot=bad).end is None
    change_state(bad, "starting", source="watchdog")
    step(market)
    assert (fresh(bad).state, place(bad)) == ("running", (6, 0))


def test_a_bot_that_fails_alone_stops_nobody_else_in_its_chunk(market):
    feed(market, 100, 100, 100)
    good, bad = (started(trader(market, name=name), at_ms=at(3)) for name in ("good", "bad"))
    feed(market, 100, start=3)
    step(market)
    # A row in the way: the bad one's next worth cannot be stored.
    BotPerformance.objects.create(
        bot=bad, run=bad.run, time=from_ms(at(5)), equity=1, cash=1, position=0, price=1, drawdown=0
    )
    feed(market, 100, start=4)
    step(market)
    assert (fresh(good).state, place(good)) == ("running", (5, 0))
    assert (fresh(bad).state, place(bad)) == ("error", (4, 0))
    assert "IntegrityError" in bad.last_traceback


def test_a_failed_bot_that_is_stopped_leaves_without_its_strategy(market, monkeypatch):
    from strategies.domain.builtin.ema_crossover import EmaCrossover

    bot = long_bot(market)

    def fail(self, state, candle):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(EmaCrossover, "step", fail)
    feed(market, 101, start=7, before=102)
    step(market)
    assert fresh(bot).state == "error"
    stop_bot(bot, bot.owner)
    step(market)
    assert (fresh(bot).state, len(fills(bot))) == ("stopping", 1)
    open_minute(market, 8, 98)
    step(market)
    assert (fresh(bot).state, fills(bot)[1]) == ("stopped", (8, -10, 98))


@pytest.mark.parametrize(("order", "state"), [(kill_bots, "halted"), (flatten_bot, "error")])
def test_a_bot_leaves_as_ordered_although_its_strategy_fails_meanwhile(
    market, monkeypatch, order, state
):
    from strategies.domain.builtin.ema_crossover import EmaCrossover

    bot = long_bot(market)

    def fail(self, state, candle):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(EmaCrossover, "step", fail)
    feed(market, 101, start=7, before=102)
    fed(market, 107.0)
    order(bot.owner if order is kill_bots else bot, bot.owner)
    step(market)
    assert (fresh(bot).state, fills(bot)[1]) == (state, (7, -10, 107))
    assert not BotCommand.objects.waiting().exists()


def test_one_on_its_way_out_that_cannot_be_stepped_says_so(market):
    bot = long_bot(market)
    stop_bot(bot, bot.owner)
    BotPerformance.objects.create(
        bot=bot, run=bot.run, time=from_ms(at(8)), equity=1, cash=1, position=0, price=1, drawdown=0
    )
    feed(market, 101, start=7, before=102)
    step(market)
    assert (fresh(bot).state, place(bot)) == ("error", (7, 0))
    assert "IntegrityError" in bot.last_traceback
