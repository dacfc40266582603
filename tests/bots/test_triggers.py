"""What stops and limits of a bot do, with every number that is kept of them, worked out by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bots.models import BotEvent, Fill, Order
from marketdata.models import from_ms
from tests.bots.scenes import at, fresh, running
from tests.bots.stepping import step
from tests.bots.stories import feed

pytestmark = pytest.mark.django_db

COSTS = {"cash": "1000", "taker_bps": "0", "maker_bps": "0", "slippage_bps": "10"}
"""1,000 buy 9.99000999 at 100.1, the open of minute 6 and 10 bps of it; 1e-9 is left."""
HELD = Decimal("9.99000999")


def long_bot(market, **rules):
    """Return a bot that bought with the opening of minute 6, which closed at 102."""
    bot = running(market, trading={**COSTS, **rules})
    feed(market, 100, 101, start=4, before=100)
    feed(market, 102, start=6, before=100)
    step(market)
    return bot


def live(market, *closes):
    """Let minutes from the seventh on close, the first of them opening at 102."""
    feed(market, *closes, start=7, before=102)
    step(market)


def newest(bot):
    return Fill.objects.filter(bot=bot).latest("pk")


@pytest.mark.parametrize(
    ("rules", "close", "reason", "price", "slippage"),
    [
        # 2 % below 100.1 is 98.098: at 98.0, and a tick less that 10 bps of it begin.
        ({"stop_loss": "0.02"}, 97, "stop_loss", "97.9", HELD / 10),
        # 5 % above 100.1 is 105.105: at 105.2, where it rested.
        ({"take_profit": "0.05"}, 106, "take_profit", "105.2", 0),
        # 3 % below the best price so far, 102, is 98.94: at 98.9, and a tick less.
        ({"trailing_stop": "0.03"}, 98, "trailing_stop", "98.8", HELD / 10),
    ],
)
def test_a_stop_is_an_order_and_a_fill_with_its_price_and_slippage(
    market, rules, close, reason, price, slippage
):
    bot = long_bot(market, **rules)
    assert newest(bot).quantity == HELD
    live(market, close)
    out = newest(bot)
    assert (out.reason, out.quantity, out.price) == (reason, -HELD, Decimal(price))
    assert (out.slippage, out.fee, out.position) == (slippage, 0, 0)
    assert out.cash == HELD * Decimal(price) + Decimal("1e-9")
    assert out.realised == HELD * (Decimal(price) - Decimal("100.1"))
    assert out.time == from_ms(at(7)), "the minute in which it was reached"
    assert (out.order.reason, out.order.state, out.order.ended) == (reason, "filled", out.time)


def test_after_a_loss_nothing_is_entered_until_the_cooldown_is_over(market):
    bot = long_bot(market, stop_loss="0.02", cooldown_minutes=3)
    # Out in minute 7: before minute 10 nothing is bought.
    live(market, 97, 99, 97, 99, 99)
    asked = Order.objects.filter(bot=bot, target__gt=0).order_by("pk")[1:]
    told = [(one.made, one.state, one.outcome, one.ended) for one in asked]
    assert told == [
        (from_ms(at(9)), "skipped", "cooldown", from_ms(at(9))),
        (from_ms(at(11)), "filled", "", from_ms(at(11))),
    ]
    assert newest(bot).time == from_ms(at(11))


REST = Decimal("1e-9")
LOST = {"equity": HELD * 94 + REST, "peak": HELD * 102 + REST, "day_equity": Decimal(1000)}
"""At a close of 94: 60.94 less than the day's 1,000, and 79.92 less than the peak."""


@pytest.mark.parametrize(
    ("rule", "limit", "share", "why", "state"),
    [
        ("max_daily_loss", "daily_loss", 0.06, "no entries until the next day", "running"),
        ("max_drawdown", "max_drawdown", 0.075, "halted", "halted"),
    ],
)
def test_a_limit_keeps_the_equities_it_was_judged_by_and_ends_the_position(
    market, rule, limit, share, why, state
):
    bot = long_bot(market, **{rule: str(share)})
    live(market, 94, 99, 99)
    event = BotEvent.objects.get(bot=bot, kind="limit")
    assert (event.time, event.why) == (from_ms(at(8)), f"{limit}: {why}")
    numbers = {name: Decimal(event.details.pop(name)) for name in LOST}
    assert numbers == LOST
    assert event.details == {"limit": limit, "share": share}
    out = newest(bot)
    # With the next open, 94, and a tick less.
    assert (out.reason, out.price, out.position) == (limit, Decimal("93.9"), 0)
    assert fresh(bot).state == state
    # What went up since was not entered.
    blocked = Order.objects.filter(bot=bot, made__gte=from_ms(at(9)), target__gt=0)
    assert [one.outcome for one in blocked] == ([limit] if state == "running" else [])


def test_an_entry_is_no_larger_than_the_exposure_that_is_allowed(market):
    bot = long_bot(market, max_exposure="0.5")
    bought = newest(bot)
    # 500 at 100.1 each.
    assert (bought.quantity, bought.price) == (Decimal("4.99500499"), Decimal("100.1"))
    assert bought.cash == 1000 - Decimal("4.99500499") * Decimal("100.1")
