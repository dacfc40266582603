"""Runs that end at an edge where another begins: after an edit, or by other code."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bots.changes import change_state
from bots.models import Bot, BotRun, Fill, Order, ParityReport
from bots.parity.reporting import make_report
from bots.services import edit_bot, flatten_bot, start_bot, stop_bot
from bots.storage.rows import kernel_of
from marketdata.models import to_ms
from strategies.models import StrategyConfig
from tests.bots.scenes import FREE, at, fills, forget_runs, fresh, long_bot, place, running, trader
from tests.bots.stepping import make_trader, started, step
from tests.bots.stories import feed, open_minute

pytestmark = pytest.mark.django_db


def test_an_edit_ends_the_run_at_the_next_candles_edge_and_opens_another(market):
    feed(market, *[100] * 9)
    bot = started(trader(market, timeframe="5m"), at_ms=at(11))
    feed(market, 100, 100, 100, 100, start=9)
    step(market)
    assert place(bot) == (13, 0)
    edit_bot(bot, {"trading": {"stop_loss": "0.02"}}, bot.owner)
    feed(market, 100, start=13)
    step(market)
    assert BotRun.objects.filter(bot=bot).count() == 1
    feed(market, 100, 100, start=14)
    step(market)
    old, new = BotRun.objects.filter(bot=bot).order_by("number")
    assert (to_ms(old.end), old.end_phase, old.end_reason) == (at(15), 0, "edited")
    assert (to_ms(new.start), new.version, new.trading["stop_loss"]) == (at(15), 2, "0.02")
    assert place(bot) == (16, 0)
    assert fresh(bot).state == "running"


def test_what_a_run_decided_last_is_filled_although_an_edit_ends_it(market):
    bot = long_bot(market)
    feed(market, 100, start=7, before=102)
    step(market)
    assert Order.objects.get(bot=bot, state="waiting").target == 0
    edit_bot(bot, {"trading": {"stop_loss": "0.5"}}, bot.owner)
    open_minute(market, 8, 99)
    step(market)
    old, new = BotRun.objects.filter(bot=bot).order_by("number")
    assert (old.end_reason, to_ms(old.end), to_ms(new.start)) == ("edited", at(8), at(8))
    assert fills(bot)[1] == (8, -10, 99)
    order = Order.objects.get(bot=bot, target=0)
    assert (order.run_id, order.number, order.state) == (new.pk, 1, "filled")
    assert (to_ms(order.made), Fill.objects.get(order=order).decided) == (at(8), order.made)


def test_an_order_to_leave_waits_through_an_edit_for_the_next_open(market):
    bot = long_bot(market)
    flatten_bot(bot, bot.owner)
    step(market)
    assert Order.objects.get(bot=bot, state="waiting").reason == "command"
    edit_bot(bot, {"trading": {"stop_loss": "0.5"}}, bot.owner)
    open_minute(market, 7, 98)
    step(market)
    assert fills(bot)[1] == (7, -10, 98)
    assert (fresh(bot).state, bot.run.number, place(bot)) == ("running", 2, (7, 1))


@pytest.mark.parametrize("became", [{"source_hash": "0" * 64}, {"strategy": "own:gone"}])
def test_a_bot_on_its_way_out_leaves_whatever_became_of_its_code(market, became):
    bot = long_bot(market)
    stop_bot(bot, bot.owner)
    step(market)
    BotRun.objects.filter(bot=bot).update(**became)
    forget_runs()
    step(market)
    assert (fresh(bot).state, bot.run.number) == ("stopping", 1)
    open_minute(market, 7, 98)
    step(market)
    assert (fresh(bot).state, fills(bot)[1]) == ("stopped", (7, -10, 98))


def test_other_code_trades_nothing_of_itself(market):
    bot = running(market, trading={**FREE, "size": "0.5"})
    feed(market, 100, 101, 102, 120, 121, start=4, before=100)
    step(market)
    assert fills(bot) == [(6, 4, 101)]
    BotRun.objects.filter(bot=bot).update(source_hash="0" * 64)
    forget_runs()
    feed(market, 122, 123, start=9, before=121)
    step(market)
    feed(market, 124, 125, start=11, before=123)
    step(market)
    assert (fresh(bot).run.number, len(fills(bot))) == (2, 1)


def test_other_code_of_the_strategy_ends_the_run_and_opens_another(market):
    bot = running(market)
    BotRun.objects.filter(bot=bot).update(source_hash="0" * 64)
    forget_runs()
    feed(market, 100, start=4)
    step(market)
    old, new = BotRun.objects.filter(bot=bot).order_by("number")
    assert (old.end_reason, to_ms(old.end), to_ms(new.start)) == ("upgraded", at(4), at(4))
    assert new.source_hash != old.source_hash
    step(market)
    assert place(bot) == (5, 0)


def test_an_edited_bot_goes_on_by_its_new_settings_after_an_error(market):
    bot = long_bot(market)
    change_state(fresh(bot), "error", source="step", why="as if")
    edit_bot(bot, {"trading": {"stop_loss": "0.5"}}, bot.owner)
    start_bot(bot, bot.owner)
    step(market)
    old, new = BotRun.objects.filter(bot=bot).order_by("number")
    assert (old.end_reason, to_ms(old.end), to_ms(new.start)) == ("edited", at(7), at(7))
    assert kernel_of(old.last_kernel)["lots"] == kernel_of(new.first_kernel)["lots"] != 0
    assert fresh(bot).state == "running"


def test_an_edited_bot_that_failed_within_a_minute_does_that_minute_to_its_end(market, monkeypatch):
    from strategies.domain.builtin.ema_crossover import EmaCrossover

    bot = long_bot(market, trading={**FREE, "stop_loss": "0.05"})
    open_minute(market, 7, 102)
    step(market)
    assert place(bot) == (7, 1)

    def fail(self, state, candle):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(EmaCrossover, "step", fail)
    feed(market, 101, start=7, before=102)
    feed(market, 93, start=7, before=102)
    step(market)
    assert (fresh(bot).state, place(bot)) == ("error", (7, 1))
    other = make_trader(market, {}, strategy="rsi", name="other").config
    edit_bot(bot, {"config": other.name}, bot.owner)
    start_bot(bot, bot.owner)
    step(market)
    assert fills(bot)[1] == (7, -10, 95)
    old, new = BotRun.objects.filter(bot=bot).order_by("number")
    assert (old.end_reason, to_ms(old.end), old.end_phase) == ("edited", at(8), 0)
    assert (to_ms(new.start), new.strategy, fresh(bot).state) == (at(8), "rsi", "running")


def test_a_run_keeps_the_tick_it_began_with_and_the_next_one_is_refused(market):
    bot = long_bot(market)
    market.tick_size = Decimal("0.01")
    market.save()
    # Another worker has read nothing yet of how the run began.
    forget_runs()
    feed(market, 100, start=7, before=102)
    feed(market, 100, start=8)
    step(market)
    assert fills(bot)[1] == (8, -10, 100)
    edit_bot(bot, {"trading": {"stop_loss": "0.5"}}, bot.owner)
    feed(market, 100, start=9)
    step(market)
    assert (fresh(bot).state, bot.last_error[:13]) == ("error", "UnitsChanged:")


@pytest.mark.django_db(transaction=True)
def test_a_run_and_its_replay_keep_the_smallest_order_that_the_run_began_with(market):
    bot = running(market)
    market.min_size = 1000
    market.save()
    forget_runs()
    feed(market, 100, 101, start=4, before=100)
    feed(market, 102, start=6, before=100)
    step(market)
    assert fills(bot) == [(6, 10, 100)]
    edit_bot(bot, {"trading": {"stop_loss": "0.5"}}, bot.owner)
    feed(market, 100, start=7, before=102)
    step(market)
    old, new = BotRun.objects.filter(bot=bot).order_by("number")
    report = make_report(old.pk, ParityReport.Reason.ASKED)
    assert (report.known, report.known_divergence, report.fills) == ("matched", None, 1)
    assert (old.min_size, new.min_size) == (Decimal("0.00001"), 1000)


def test_one_on_its_way_out_that_this_engine_cannot_go_on_with_says_why_no_run_follows(market):
    bot = long_bot(market)
    stop_bot(bot, bot.owner)
    step(market)
    assert fresh(bot).state == "stopping"
    BotRun.objects.filter(bot=bot).update(engine_version=0)
    gone = StrategyConfig.objects.create(name="gone", strategy="own:gone", timeframe="1m")
    Bot.objects.filter(pk=bot.pk).update(config=gone)
    forget_runs()
    step(market)
    assert (fresh(bot).state, bot.run.number) == ("error", 1)
    assert "own:gone" in bot.last_error
