"""Bots in the scenes that most tests of the step begin with, and how they are read."""

from __future__ import annotations

from bots.models import Bot, BotRun, Fill, LedgerEntry
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.models import Collector, Trade, from_ms, to_ms
from tests.bots.stepping import make_trader, started, step, tell_time
from tests.bots.stories import feed
from tests.marketdata.api.conftest import START_MS

FREE = {"cash": "1000", "taker_bps": "0", "slippage_bps": "0"}
FAST = {"fast": 1, "slow": 2}


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


def forget_runs():
    from bots.storage import runs

    runs._known.clear()


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
