"""The step of bots over stored minutes: hand-computable, on the real database."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from bots.models import Bot, BotPerformance, Fill, LedgerEntry, Order, Signal
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.models import to_ms
from marketdata.storage import write_candles
from tests.bots.people import make_market
from tests.bots.stepping import make_trader, started, step, tell_time
from tests.marketdata.api.conftest import START_MS, minutes

FREE = {"cash": "1000", "taker_bps": "0", "slippage_bps": "0"}
UPS_AND_DOWNS = (100.0, 100.0, 100.0, 101.0, 102.0, 101.0, 100.0, 101.0)


def candles(closes, *, start_ms=START_MS, volume=1.0):
    """Return 1m candles that open where the one before closed."""
    made = minutes(len(closes), start_ms=start_ms)
    made["close"] = closes
    made["open"] = [closes[0], *closes[:-1]]
    made["high"] = np.maximum(made["open"], made["close"])
    made["low"] = np.minimum(made["open"], made["close"])
    made["volume"] = volume
    return made


def feed(market, *closes, start=0):
    """Store minutes from minute `start` on, and let the exchange's clock follow."""
    first_ms = START_MS + start * MINUTE_MS
    write_candles(market, candles(closes, start_ms=first_ms), reason="test")
    tell_time(market.exchange, first_ms + len(closes) * MINUTE_MS)


@pytest.fixture
def market(db):
    return make_market()


def trader(market, **values):
    return make_trader(market, {"fast": 1, "slow": 2}, **{"trading": FREE, **values})


@pytest.mark.django_db
def test_a_bot_decides_at_a_close_and_fills_at_the_next_open(market):
    feed(market, 100.0, 100.0, 100.0)
    bot = started(trader(market), at_ms=START_MS + 3 * MINUTE_MS)
    assert (bot.state, to_ms(bot.run.start)) == ("running", START_MS + 4 * MINUTE_MS)
    feed(market, 100.0, 101.0, 102.0, start=3)
    step(market)
    signal = Signal.objects.get(bot=bot)
    assert (to_ms(signal.time), signal.before, signal.target) == (
        START_MS + 5 * MINUTE_MS,
        0,
        1_000_000,
    )
    fill = Fill.objects.get(bot=bot)
    assert (to_ms(fill.time), fill.price) == (START_MS + 5 * MINUTE_MS, Decimal(101))
    order = Order.objects.get(bot=bot)
    assert (order.state, order.reason, order.target) == ("filled", "target", 1_000_000)
    cash = sum(row.amount for row in LedgerEntry.objects.filter(bot=bot, account="cash"))
    assert cash == fill.cash
    worth = BotPerformance.objects.filter(bot=bot).order_by("time")
    assert [to_ms(row.time) - START_MS for row in worth] == [5 * MINUTE_MS, 6 * MINUTE_MS]
    bot.refresh_from_db()
    assert to_ms(bot.cursor) == START_MS + 6 * MINUTE_MS
    assert Bot.objects.alive().count() == 1
