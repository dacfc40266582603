"""The step of bots over stored minutes: hand-computable, on the real database."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection

from bots.models import Bot, BotEvent, BotPerformance, BotRun, Fill, LedgerEntry, Order, Signal
from bots.services import start_bot, stop_bot
from marketdata.models import Collector, from_ms, to_ms
from marketdata.storage import write_candles
from tests.bots.scenes import FREE, at, balance, fills, fresh, long_bot, place, running, trader
from tests.bots.stepping import started, step, tell_time
from tests.bots.stories import candles, feed, open_minute

pytestmark = pytest.mark.django_db


def test_a_bot_decides_at_a_close_and_fills_at_the_next_open(market):
    feed(market, 100, 100, 100)
    bot = started(trader(market), at_ms=at(3))
    assert (bot.state, to_ms(bot.run.start)) == ("running", at(4))
    feed(market, 100, 101, 102, start=3)
    step(market)
    signal = Signal.objects.get(bot=bot)
    assert (to_ms(signal.time), signal.before, signal.target) == (at(5), 0, 1_000_000)
    assert signal.why == {"fast": 101.0, "slow": pytest.approx(100.67, abs=0.01)}
    assert fills(bot) == [(5, 9, 101)]
    order = Order.objects.get(bot=bot)
    assert (order.state, order.reason, order.target) == ("filled", "target", 1_000_000)
    assert balance(bot, "cash") == Fill.objects.get(bot=bot).cash
    worth = BotPerformance.objects.filter(bot=bot).order_by("time")
    assert [to_ms(row.time) for row in worth] == [at(5), at(6)]
    assert worth[1].equity == balance(bot, "cash") + worth[1].position * 102
    assert place(bot) == (6, 0)


def test_the_first_run_posts_its_deposit_and_a_later_one_goes_on_with_what_was_left(market):
    bot = long_bot(market)
    assert (balance(bot, "capital"), balance(bot, "cash")) == (-1000, 0)
    stop_bot(bot, bot.owner, flatten=False)
    step(market)
    assert fresh(bot).state == "stopped"
    first = BotRun.objects.get(bot=bot)
    assert (to_ms(first.end), first.end_phase, first.end_reason) == (at(7), 0, "stopped")
    tell_time(market.exchange, at(20))
    start_bot(bot, bot.owner)
    step(market)
    second = BotRun.objects.get(bot=bot, number=2)
    assert to_ms(second.start) == at(21)
    assert balance(bot, "capital") == -1000
    assert LedgerEntry.objects.filter(bot=bot, account="capital").count() == 1
    assert (fresh(bot).state, bot.run_id) == ("running", second.pk)


def test_an_order_fills_when_the_next_minute_opens_without_waiting_for_its_close(market):
    bot = running(market)
    feed(market, 100, 101, start=4, before=100)
    step(market)
    assert (fills(bot), Order.objects.get(bot=bot).state) == ([], "waiting")
    open_minute(market, 6, 99)
    step(market)
    assert (fills(bot), place(bot)) == ([(6, 10, 99)], (6, 1))
    # The candle may be told otherwise later: what was filled stays.
    feed(market, 103, start=6, before=102)
    step(market)
    assert (fills(bot), place(bot)) == ([(6, 10, 99)], (7, 0))
    assert Order.objects.get(bot=bot).state == "filled"


def test_a_stop_fills_within_its_minute(market):
    bot = long_bot(market, trading={**FREE, "stop_loss": "0.05"})
    feed(market, 93, start=7, before=99)
    step(market)
    assert fills(bot)[1] == (7, -10, 95)
    assert Order.objects.get(bot=bot, reason="stop_loss").state == "filled"
    assert Fill.objects.filter(bot=bot).latest("number").realised == -50


def test_flat_minutes_fill_nothing_and_the_order_is_cancelled_after_a_timeframe(market):
    bot = running(market)
    feed(market, 100, 101, start=4, before=100)
    for number in (6, 7):
        write_candles(market, candles([101], start_ms=at(number), volume=0.0), reason="test")
    tell_time(market.exchange, at(8))
    feed(market, 101, start=8)
    step(market)
    assert fills(bot) == []
    order = Order.objects.filter(bot=bot).first()
    assert (order.state, order.outcome) == ("cancelled", "no_trade")


def test_a_bot_that_was_away_catches_up_but_enters_nothing_late(market):
    bot = running(market, max_entry_age_s=60)
    feed(market, 100, 101, 102, 101, 100, 103, start=4)
    step(market)
    assert place(bot) == (10, 0)
    missed = [row.is_missed for row in Signal.objects.filter(bot=bot).order_by("time")]
    assert missed == [True, False, False], "the second is one to leave"
    assert BotEvent.objects.filter(bot=bot, kind="missed").count() == 1
    assert [row.outcome for row in Order.objects.filter(bot=bot, state="skipped")] == ["stale"]
    open_minute(market, 10, 103)
    step(market)
    assert fills(bot) == [(10, 9, 103)]


def test_a_bot_that_was_away_leaves_late_and_that_is_not_missed(market):
    bot = long_bot(market, max_entry_age_s=60)
    feed(market, 103, 100, 100, 100, 100, start=7, before=102)
    step(market)
    assert fills(bot)[1] == (9, -10, 100)
    late = Signal.objects.get(bot=bot, target=0)
    assert (to_ms(late.time), late.is_missed) == (at(9), False)
    assert not BotEvent.objects.filter(bot=bot, kind="missed").exists()


def test_a_limit_halts_a_bot_once_it_is_flat_with_the_exact_numbers(market):
    bot = long_bot(market, trading={**FREE, "max_drawdown": "0.1"})
    feed(market, 89, start=7, before=100)
    feed(market, 89, start=8)
    feed(market, 88, start=9)
    step(market)
    run = BotRun.objects.get(bot=bot)
    assert (fresh(bot).state, run.end_reason) == ("halted", "halted")
    event = BotEvent.objects.get(bot=bot, kind="limit")
    assert event.details["limit"] == "max_drawdown"
    assert Decimal(event.details["equity"]) == 890
    assert Decimal(event.details["peak"]) == 1020
    start_bot(bot, bot.owner)
    step(market)
    assert fresh(bot).state == "running"


def test_a_bot_over_stored_candles_follows_its_own_clock(market):
    feed(market, *[100, 101] * 60)
    bot = trader(market, drive_from=from_ms(at(10)), drive_speed=1e-9)
    started(bot, at_ms=at(500))
    step(market)
    assert place(bot) == (10, 0)
    Bot.objects.filter(pk=bot.pk).update(drive_speed=1e9)
    step(market)
    assert place(bot) == (120, 0)
    assert not Signal.objects.filter(bot=bot, is_missed=True).exists()
    assert len(fills(bot)) > 50


def test_nothing_starts_before_the_exchange_has_a_clock(market):
    Collector.objects.all().delete()
    bot = trader(market)
    start_bot(bot, bot.owner)
    step(market)
    assert fresh(bot).state == "starting"


def test_the_ledger_refuses_what_does_not_balance_and_every_change(market):
    from django.db import IntegrityError, transaction

    bot = long_bot(market)
    lone = {"bot": bot, "run": bot.run, "posting": 9, "currency": "USDT", "time": from_ms(at(9))}
    with pytest.raises(IntegrityError, match="posting 9"), transaction.atomic():
        LedgerEntry.objects.create(account="cash", amount=1, **lone)
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        LedgerEntry.objects.filter(bot=bot).update(amount=5)
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        LedgerEntry.objects.filter(bot=bot)._raw_delete("default")
    with connection.cursor() as cursor:
        cursor.execute("select set_config('bots.purged', %s, true)", [str(bot.pk)])
    LedgerEntry.objects.filter(bot=bot)._raw_delete("default")
    assert not LedgerEntry.objects.filter(bot=bot).exists()
