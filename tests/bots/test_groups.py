"""Bots that decide alike: what their group has decided, and forgotten."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from bots.manager.advancing import Advance
from bots.manager.chunks import Done, step_bots
from bots.manager.groups import advance_groups
from bots.manager.strategies import strategy_of
from bots.manager.view import InstrumentView
from bots.models import GroupState, Signal
from bots.services import stop_bot
from bots.storage.groups import forget_groups
from bots.storage.runs import run_settings
from bots.storage.seen import candles_seen
from marketdata.models import from_ms
from marketdata.storage import write_candles
from tests.bots.scenes import FREE, at, fills, fresh, place, running, running_copy, trader
from tests.bots.stepping import make_trader, started, step
from tests.bots.stories import candles, feed

pytestmark = pytest.mark.django_db


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
