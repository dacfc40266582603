"""Bots that were down for long catch up in parts, and stand where they would have stood."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bots.domain.kernels.folding import fold
from bots.domain.warming import warm_kernels
from bots.manager import chunks
from bots.manager.strategies import strategy_of
from bots.models import Bot, BotCommand, BotPerformance, Fill, Order, Signal
from bots.services import flatten_bot, stop_bot
from bots.storage.runs import run_settings
from tests.bots.stepping import make_trader, started, step
from tests.bots.stories import FREE, UPS_AND_DOWNS, feed
from tests.marketdata.api.conftest import START_MS, make_instrument

pytestmark = pytest.mark.django_db

MINUTE_MS = 60_000
FACTS = {
    Bot: ("state", "cursor", "phase", "kernel"),
    BotPerformance: ("time", "equity", "cash", "position", "price", "drawdown"),
    Signal: ("time", "before", "target", "is_missed"),
    Order: ("number", "made", "reason", "target", "state", "outcome", "ended"),
    Fill: ("number", "time", "quantity", "price", "fee", "cash", "realised"),
    BotCommand: ("kind", "minute", "phase", "tick"),
}


def down_for_long(symbol):
    """Return two bots of a market that have missed some minutes, with an order each."""
    market = make_instrument(symbol, is_enabled=True)
    feed(market, 100, 100, 100, 100, 100)
    bots = [
        make_trader(market, {"fast": 1, "slow": slow}, name=f"{symbol} {slow}", trading=FREE)
        for slow in (2, 3)
    ]
    for bot in bots:
        started(bot, at_ms=START_MS + 5 * MINUTE_MS - 1)
    feed(market, *UPS_AND_DOWNS * 2, start=5, before=100)
    flatten_bot(bots[0], bots[0].owner)
    stop_bot(bots[1], bots[1].owner)
    return market, bots


def left(bots):
    """Return the rows of bots, without what differs from one telling to the next."""
    told = []
    for bot in bots:
        for model, names in FACTS.items():
            rows = model.objects.filter(**{"pk" if model is Bot else "bot": bot.pk})
            order = "pk" if model is not BotPerformance else "time"
            told.append([_plain(row) for row in rows.order_by(order).values_list(*names)])
    return told


def _plain(row):
    return tuple(bytes(one) if isinstance(one, memoryview) else one for one in row)


def performance_rows(queries):
    """Return how many rows of performance each statement wrote."""
    numbers = []
    for query in queries:
        sql = str(query["sql"])
        if "insert into bots_botperformance" in sql:
            numbers.append(sql.split("'{", 1)[1].split("}", 1)[0].count(",") + 1)
    return numbers


@pytest.mark.parametrize("most", [1, 4, 33])
def test_what_was_missed_is_done_in_parts_as_at_once(monkeypatch, most):
    market, bots = down_for_long("A0-USDT")
    step(market)
    expected = left(bots)
    assert len(expected[4]) > 5, "fills of the first bot"
    assert len(expected[5]) == 1, "what it was ordered"
    market, bots = down_for_long("A1-USDT")
    monkeypatch.setattr(chunks, "MOST_AT_ONCE", most)
    step(market)
    assert left(bots) == expected


def test_no_transaction_does_more_minutes_than_it_may(monkeypatch):
    monkeypatch.setattr(chunks, "MOST_AT_ONCE", 10)
    market, _ = down_for_long("A2-USDT")
    with CaptureQueriesContext(connection) as told:
        step(market)
    numbers = performance_rows(told)
    assert sum(numbers) == BotPerformance.objects.count()
    assert max(numbers) <= 10


def test_what_is_loaded_before_the_first_step_is_all_that_it_needs():
    warm_kernels()
    market, _ = down_for_long("A3-USDT")
    step(market)
    assert len(fold.signatures) == 1, "another one was compiled while bots waited"


def test_bots_wait_a_moment_for_a_strategy_that_another_thread_asks():
    market, bots = down_for_long("A4-USDT")
    run_id = Bot.objects.values_list("run_id", flat=True).get(pk=bots[0].pk)
    key = run_settings([run_id])[run_id].group
    is_held, never = threading.Event(), threading.Event()

    def ask():
        with strategy_of(key):
            is_held.set()
            never.wait(0.3)

    other = threading.Thread(target=ask)
    other.start()
    assert is_held.wait(30)
    step(market)
    other.join(30)
    assert Signal.objects.filter(bot=bots[0]).exists()
