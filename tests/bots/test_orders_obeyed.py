"""What people order of single bots, carried out by the step."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bots.changes import change_state
from bots.models import Bot, BotCommand, BotEvent, BotRun, Order
from bots.services import flatten_bot, kill_bots, pause_bot, resume_bot, start_bot, stop_bot
from marketdata.models import to_ms
from tests.bots.scenes import at, fed, fills, fresh, long_bot, running, trader
from tests.bots.stepping import started, step, tell_time
from tests.bots.stories import feed, open_minute

pytestmark = pytest.mark.django_db


def test_paused_a_bot_enters_nothing_and_resumed_it_does(market):
    bot = running(market)
    pause_bot(bot, bot.owner, "lunch")
    step(market)
    assert fresh(bot).state == "paused"
    order = BotCommand.objects.get(bot=bot)
    assert (to_ms(order.minute), order.phase, order.tick) == (at(4), 0, 0)
    feed(market, 100, 101, 102, start=4, before=100)
    step(market)
    assert (fills(bot), Order.objects.get(bot=bot).outcome) == ([], "paused")
    resume_bot(bot, bot.owner)
    step(market)
    feed(market, 100, 103, 103, start=7)
    step(market)
    assert fresh(bot).state == "running"
    assert len(fills(bot)) == 1


def test_a_bot_is_made_flat_at_the_last_trade_of_a_live_feed(market):
    bot = long_bot(market)
    fed(market, 107.0)
    flatten_bot(bot, bot.owner)
    step(market)
    assert fills(bot)[1] == (7, -10, 107)
    order = BotCommand.objects.get(bot=bot)
    assert (order.tick, order.run_id) == (1070, bot.run_id)
    assert fresh(bot).state == "running"


def test_without_a_live_feed_it_is_made_flat_at_the_next_open(market):
    bot = long_bot(market)
    stop_bot(bot, bot.owner)
    step(market)
    assert (fresh(bot).state, len(fills(bot))) == ("stopping", 1)
    open_minute(market, 7, 98)
    step(market)
    assert (fresh(bot).state, fills(bot)[1]) == ("stopped", (7, -10, 98))
    run = BotRun.objects.get(bot=bot)
    assert (to_ms(run.end), run.end_phase) == (at(7), Bot.Phase.CLOSE)
    assert bytes(run.last_kernel) == bytes(bot.kernel)
    assert bot.desired == "stopped"


@pytest.mark.parametrize(("starter", "becomes"), [("watchdog", "halted"), ("person", "running")])
def test_an_order_to_halt_outlives_a_start_by_the_watchdog_alone(market, starter, becomes):
    feed(market, 100, 100, 100)
    tell_time(market.exchange, at(3))
    bot = trader(market)
    bot = start_bot(bot, bot.owner)
    # It failed before its first run, and whoever halted it did not see that yet.
    BotCommand.objects.give(
        Bot.objects.filter(pk=bot.pk), BotCommand.Kind.HALT, BotCommand.Source.KILL_SWITCH
    )
    change_state(bot, "error", source="step", trouble="strategy_error")
    change_state(bot, "starting", source=starter)
    feed(market, 100, 100, start=3)
    step(market)
    step(market)
    assert fresh(bot).state == becomes


def test_many_bots_are_halted_in_as_many_statements_as_one(market):
    feed(market, 100, 100, 100)
    numbers = []
    for count in (1, 9):
        bots = [trader(market, name=f"{number} of {count}") for number in range(count)]
        for bot in bots:
            started(bot, at_ms=at(3))
        kill_bots(bots[0].owner, None)
        with CaptureQueriesContext(connection) as told:
            step(market)
        assert {fresh(bot).state for bot in bots} == {"halted"}
        assert {run.end_reason for run in BotRun.objects.filter(bot__in=bots)} == {"halted"}
        assert BotEvent.objects.filter(bot__in=bots, after="halted").count() == count
        numbers.append(len(told))
    assert numbers[1] <= numbers[0]
