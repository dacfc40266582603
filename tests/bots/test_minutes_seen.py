"""Minutes that are missing, late or revised when the step gets to them."""

from __future__ import annotations

import pytest

from bots.models import BotEvent, SeenMinute
from bots.storage.seen import candles_seen
from marketdata.models import DataGap, from_ms, to_ms
from marketdata.storage import write_candles
from tests.bots.scenes import at, place, running
from tests.bots.stepping import step, tell_time
from tests.bots.stories import candles, feed

pytestmark = pytest.mark.django_db


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
