"""The step of bots over stored minutes: hand-computable, on the real database."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bots.changes import change_state
from bots.manager import BotManager
from bots.manager.advancing import Advance
from bots.manager.chunks import Done, step_bots
from bots.manager.groups import advance_groups
from bots.manager.strategies import own_turn, strategy_of
from bots.manager.view import InstrumentView
from bots.models import (
    Bot,
    BotCommand,
    BotEvent,
    BotPerformance,
    BotRun,
    Fill,
    GroupState,
    LedgerEntry,
    Order,
    SeenMinute,
    Signal,
)
from bots.services import (
    edit_bot,
    flatten_bot,
    kill_bots,
    pause_bot,
    resume_bot,
    start_bot,
    stop_bot,
)
from bots.storage.groups import forget_groups
from bots.storage.rows import kernel_of
from bots.storage.runs import run_settings
from bots.storage.seen import candles_seen
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.models import Collector, DataGap, Trade, from_ms, to_ms
from marketdata.storage import write_candles
from tests.bots.people import make_market
from tests.bots.stepping import make_trader, started, step, tell_time
from tests.bots.stories import candles, feed, open_minute
from tests.marketdata.api.conftest import START_MS

pytestmark = pytest.mark.django_db

FREE = {"cash": "1000", "taker_bps": "0", "slippage_bps": "0"}
FAST = {"fast": 1, "slow": 2}


@pytest.fixture
def market(db):
    return make_market()


def trader(market, **values):
    return make_trader(market, FAST, **{"trading": FREE, **values})


def at(number):
    """Return the open time of minute `number` in ms."""
    return START_MS + number * MINUTE_MS


def running(market, **values):
    """Return a bot that runs from minute 4 on, after three minutes at a price of 100."""
    feed(market, 100, 100, 100)
    bot = started(trader(market, **values), at_ms=at(3))
    feed(market, 100, start=3)
    step(market)
    return bot


def long_bot(market, **values):
    """Return a bot that bought 10 at 100 with the opening of minute 6, its cursor behind it."""
    bot = running(market, **values)
    feed(market, 100, 101, start=4, before=100)
    feed(market, 102, start=6, before=100)
    step(market)
    assert fills(bot) == [(6, 10, 100)]
    return bot


def fills(bot):
    rows = Fill.objects.filter(bot=bot).order_by("pk")
    return [
        (
            (to_ms(row.time) - START_MS) // MINUTE_MS,
            int(row.quantity),
            int(row.price),
        )
        for row in rows
    ]


def fresh(bot):
    bot.refresh_from_db()
    return bot


def place(bot):
    fresh(bot)
    return (to_ms(bot.cursor) - START_MS) // MINUTE_MS, bot.phase


def balance(bot, account):
    return sum(row.amount for row in LedgerEntry.objects.filter(bot=bot, account=account))


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


def test_a_missing_minute_is_waited_for_and_then_left_out(market):
    bot = running(market)
    feed(market, 100, start=4)
    feed(market, 100, start=6)
    step(market)
    assert place(bot) == (5, 0)
    feed(market, 100, start=7)
    step(market)
    assert place(bot) == (5, 0)
    tell_time(market.exchange, at(8) + 1)
    step(market)
    assert place(bot) == (8, 0)
    seen = SeenMinute.objects.get(run=bot.run)
    assert (to_ms(seen.open_time), seen.revision) == (at(5), SeenMinute.LEFT_OUT)
    gap = BotEvent.objects.get(bot=bot, kind="gap")
    assert gap.details == {"minutes": 1, "first_ms": at(5), "last_ms": at(5)}
    assert candles_seen(bot.run)[-1] == [at(5), 1, -1]


def test_a_minute_under_repair_is_waited_for_and_taken_as_it_was_repaired(market):
    bot = running(market)
    DataGap.objects.create(
        instrument=market,
        kind="candles",
        start=from_ms(at(4)),
        end=from_ms(at(5)),
        cause="outage",
        state="repairing",
    )
    feed(market, 100, 100, 100, 100, start=5)
    step(market)
    assert place(bot) == (4, 0)
    feed(market, 100, start=4)
    tell_time(market.exchange, at(9))
    step(market)
    assert place(bot) == (9, 0)
    revision = SeenMinute.objects.filter(run=bot.run).values_list("open_time", "revision")
    assert all(number > 0 for _, number in revision)


def test_merged_trades_that_are_to_be_split_keep_no_minute_waiting(market):
    bot = running(market)
    DataGap.objects.create(
        instrument=market,
        kind="merged",
        first_trade_id=1,
        last_trade_id=9,
        start=from_ms(at(4)),
        end=from_ms(at(5)),
        cause="outage",
    )
    feed(market, 100, 100, start=5)
    tell_time(market.exchange, at(7) + 1)
    step(market)
    assert place(bot) == (7, 0)


def test_a_revised_minute_is_seen_in_its_revision_by_account_and_strategy(market):
    bot = running(market)
    write_candles(market, candles([100], start_ms=at(4)), reason="test")
    write_candles(market, candles([101], start_ms=at(4)), reason="another")
    tell_time(market.exchange, at(5))
    step(market)
    assert list(SeenMinute.objects.filter(run=bot.run).values_list("revision", flat=True)) == [1]
    assert candles_seen(bot.run)[-1] == [at(4), 1, 1]


def test_what_was_seen_otherwise_is_kept_as_stretches_however_it_comes(market):
    bot = running(market)
    revised = (4, 5, 8, 9)
    for number in range(4, 11):
        if number in revised:
            write_candles(market, candles([100], start_ms=at(number)), reason="test")
        write_candles(market, candles([101], start_ms=at(number)), reason="another")
        tell_time(market.exchange, at(number + 1))
        step(market)
    assert place(bot) == (11, 0)
    assert candles_seen(bot.run)[-2:] == [[at(4), 2, 1], [at(8), 2, 1]]


def test_bots_that_decide_alike_are_one_group_and_trade_on_their_own(market):
    feed(market, 100, 100, 100)
    bots = [trader(market, name=f"bot {number}") for number in range(3)]
    for bot in bots:
        started(bot, at_ms=at(3))
    other = make_trader(market, {"fast": 1, "slow": 3}, name="other", trading=FREE)
    started(other, at_ms=at(3))
    feed(market, 100, 101, 102, start=3)
    step(market)
    assert GroupState.objects.filter(instrument=market).count() == 2
    assert [fills(bot) for bot in (*bots, other)] == [[(5, 9, 101)]] * 4


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


def fed(market, price):
    """Let the market's collector be live, its last trade at a price."""
    tell_time(market.exchange, at(9))
    collector = Collector.objects.get(exchange=market.exchange)
    Collector.objects.filter(pk=collector.pk).update(
        heartbeat_at=from_ms(2**41),
        counters={"exchange_ms": at(9), "silence_s": 0},
        channels={market.symbol: {"event_ms": at(9)}},
    )
    market.collector = collector
    market.save()
    Trade.objects.bulk_create(
        [
            Trade(
                instrument=market,
                executed_at=from_ms(at(9)),
                trade_id=9,
                price=price,
                size=1,
                side=1,
            )
        ]
    )


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


def forget_runs():
    from bots.storage import runs

    runs._known.clear()


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


def test_a_bot_that_lags_finds_decisions_that_its_group_has_forgotten(market, monkeypatch):
    bot = running(market)
    kernel, cursor = fresh(bot).kernel, bot.cursor
    feed(market, *[100, 101] * 100, start=4)
    step(market)
    expected = fills(bot)
    assert len(expected) > 90
    other = running_copy(bot, kernel, cursor)
    step(market)
    assert fills(other) == expected


def test_what_a_group_has_decided_stays_when_its_candles_are_revised(market):
    bot = running(market)
    kernel, cursor = fresh(bot).kernel, bot.cursor
    feed(market, *[100, 101] * 100, start=4)
    step(market)
    expected = [row.time for row in Signal.objects.filter(bot=bot).order_by("time")]
    for number in range(20, 40):
        write_candles(market, candles([150], start_ms=at(number)), reason="repair")
    other = running_copy(bot, kernel, cursor)
    step(market)
    assert [row.time for row in Signal.objects.filter(bot=other).order_by("time")] == expected
    assert all(row.why for row in Signal.objects.filter(bot=other))


def test_a_run_that_began_meanwhile_waits_until_its_group_is_asked(market):
    bot = running(market)
    feed(market, 100, 101, start=4, before=100)
    view = InstrumentView(market)
    advance = Advance(view, view.line(at(4)), advance_groups(view, ()), frozenset())
    step_bots(advance, [bot.pk], Done())
    assert place(bot) == (4, 0)
    step(market)
    assert (place(bot), Signal.objects.filter(bot=bot).count()) == ((6, 0), 1)


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


def running_copy(bot, kernel, cursor):
    """Return a bot of the same group that stands where another stood before."""
    other = trader(bot.instrument, name="late")
    values = {
        field.attname: getattr(bot.run, field.attname)
        for field in BotRun._meta.concrete_fields
        if field.attname not in ("id", "bot_id", "config_id")
    }
    run = BotRun.objects.create(bot=other, config=other.config, **values)
    Bot.objects.filter(pk=other.pk).update(
        state="running", run=run, cursor=cursor, phase=0, kernel=kernel
    )
    return other


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


OWN = '''
import numpy as np
from strategies.domain.base import BaseStrategy


class Mine(BaseStrategy):
    """Long above 100; it fails above 150 and never ends above 200."""

    key, title, source = "mine", "My own", "myself"

    @property
    def warmup(self):
        return 1

    def process_data(self, candles):
        last = candles.close[-1] if len(candles) else 0.0
        if last > 150:
            raise RuntimeError("too dear")
        return np.where(candles.close > 100, 1.0, 0.0)

    def get_indicators(self, candles):
        return {"price": candles.close}
'''


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_an_own_strategy_decides_in_its_process_and_stops_only_its_bot(market, settings, tmp_path):
    settings.STRATEGIES_DIR = str(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    feed(market, 100, 100, 100)
    own = started(
        make_trader(market, {}, strategy="own:mine", name="own", trading=FREE), at_ms=at(3)
    )
    good = started(trader(market), at_ms=at(3))
    feed(market, 100, 101, 102, start=3)
    step(market)
    assert fills(own) == [(5, 9, 101)]
    assert Signal.objects.filter(bot=own).latest("time").why in ({}, {"price": 101.0})
    feed(market, 160, start=6, before=102)
    step(market)
    assert (fresh(own).state, place(own)[0]) == ("error", 6)
    assert "too dear" in own.last_error
    assert (fresh(good).state, place(good)) == ("running", (7, 0))


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_own_strategies_that_hang_delay_neither_others_nor_the_kill_switch(
    market, settings, tmp_path
):
    settings.STRATEGIES_DIR = str(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    feed(market, 100, 100, 100)
    killed, waiting = (
        started(make_trader(market, {}, strategy="own:mine", name=name, trading=FREE), at_ms=at(3))
        for name in ("killed", "waiting")
    )
    good = started(trader(market), at_ms=at(3))
    feed(market, 100, 101, 102, start=3)
    step(market)
    assert [fills(bot) for bot in (killed, waiting)] == [[(5, 9, 101)]] * 2
    feed(market, 103, start=6, before=102)
    fed(market, 107.0)
    BotCommand.objects.give(Bot.objects.filter(pk=killed.pk), "halt", "kill switch")
    # As if two threads of this process waited for strategies that do not answer.
    with own_turn() as first, own_turn() as second:
        assert (first, second) == (True, True)
        step(market)
    assert (fresh(killed).state, fills(killed)[1]) == ("halted", (6, -9, 107))
    assert (fresh(waiting).state, place(waiting)) == ("running", (6, 0))
    assert (fresh(good).state, place(good)) == ("running", (7, 0))
    step(market)
    assert place(waiting) == (7, 0)


@pytest.mark.django_db(transaction=True)
def test_a_strategy_that_another_thread_asks_is_not_waited_for(market):
    bot = running(market)
    feed(market, 100, start=4)
    key = run_settings([bot.run_id])[bot.run_id].group
    worker = threading.Thread(target=step_and_close, args=(market,))
    with strategy_of(key):
        worker.start()
        worker.join(30)
        assert not worker.is_alive()
        assert (fresh(bot).state, place(bot)) == ("running", (4, 1))
    step(market)
    assert place(bot) == (5, 0)


def step_and_close(market):
    try:
        step(market)
    finally:
        connection.close()


def test_groups_that_no_run_decides_by_are_forgotten_after_days(market):
    kept, gone = (running(market, name=name) for name in ("kept", "gone"))
    GroupState.objects.filter(instrument=market).update(used_at=from_ms(0))
    assert forget_groups() == 0
    for bot in (kept, gone):
        stop_bot(bot, bot.owner, flatten=False)
    step(market)
    assert forget_groups() == 1
    assert candles_seen(fresh(gone).run)


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
