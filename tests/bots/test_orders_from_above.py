"""The kill switch and an owner's limits, carried out by the step on bots that hold positions."""

from __future__ import annotations

import pytest

from bots.manager import BotManager
from bots.models import Bot, BotCommand, BotEvent, Fill, OwnerVerdict
from bots.risk import sweep_limits
from bots.services import InvalidBot, kill_bots, lift_verdict, set_limits, start_bot
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.models import Collector, Trade, from_ms
from tcpdashboard.common.models import Alert
from tests.bots.people import make_market
from tests.bots.stepping import make_trader, started, tell_time
from tests.bots.stories import feed
from tests.effort import spent_s
from tests.marketdata.api.conftest import START_MS

pytestmark = pytest.mark.django_db

FREE = {"cash": "1000", "taker_bps": "0", "slippage_bps": "10"}
FAST = {"fast": 1, "slow": 2}


def at(number):
    return START_MS + number * MINUTE_MS


def long_bots(market, number):
    """Return so many bots that bought with the opening of minute 6."""
    feed(market, 100, 100, 100)
    bots = [make_trader(market, FAST, name=f"{market}-{n}", trading=FREE) for n in range(number)]
    for bot in bots[1:]:
        start_bot(bot, bot.owner)
    started(bots[0], at_ms=at(3))
    feed(market, 100, 100, 101, start=3, before=100)
    feed(market, 102, start=6, before=101)
    BotManager().step(market.pk)
    assert Fill.objects.filter(bot__in=bots).count() == number
    return bots


def trade(market, price):
    """Let the market's feed be live, its last trade at a price."""
    tell_time(market.exchange, at(9))
    collector = Collector.objects.get(exchange=market.exchange)
    channels = {**collector.channels, market.symbol: {"event_ms": at(9)}}
    counters = {"exchange_ms": at(9), "silence_s": 0}
    Collector.objects.filter(pk=collector.pk).update(
        heartbeat_at=from_ms(2**41), counters=counters, channels=channels
    )
    market.collector = collector
    market.save()
    values = {"executed_at": from_ms(at(9)), "trade_id": 9, "price": price, "size": 1, "side": 1}
    Trade.objects.create(instrument=market, **values)


@pytest.mark.timeout(120)
def test_the_kill_switch_makes_many_bots_flat_and_halts_them_with_less_than_five_seconds_of_work():
    markets = [make_market(symbol) for symbol in ("BTC-USDT", "ETH-USDT")]
    bots = [bot for market in markets for bot in long_bots(market, 50)]
    for market in markets:
        trade(market, 107.0)
    begun_s = spent_s()
    killed = kill_bots(bots[0].owner, bots[0].owner, "enough")
    for instrument_id in killed.instruments:
        BotManager().step(instrument_id)
    took_s = spent_s() - begun_s
    assert len(killed.bots) == 100
    assert not killed.left().exists()
    assert set(Bot.objects.values_list("state", "desired", "run__end_reason")) == {
        ("halted", "stopped", "halted")
    }
    out = Fill.objects.filter(quantity__lt=0)
    assert out.count() == 100
    # 107.0 less 10 bps of slippage, on the tick.
    assert {float(price) for price in out.values_list("price", flat=True)} == {106.8}
    assert set(out.values_list("reason", flat=True)) == {"command"}
    assert set(BotCommand.objects.values_list("tick", flat=True)) == {1070}
    assert BotEvent.objects.filter(source="kill switch", after="halted").count() == 100
    assert took_s < 5, "seconds of a processor, here and in the database"


def test_an_owners_limit_ends_bots_flat_and_keeps_them_from_starting_until_it_is_lifted():
    market = make_market()
    bots = long_bots(market, 3)
    owner = bots[0].owner
    set_limits(owner, {"max_drawdown": 0.1, "action": "halt"}, owner)
    assert sweep_limits() == set()
    feed(market, 85, start=7, before=102)
    BotManager().step(market.pk)
    assert sweep_limits() == {market.pk}
    trade(market, 85.0)
    BotManager().step(market.pk)
    assert set(Bot.objects.values_list("state", flat=True)) == {"halted"}
    assert BotEvent.objects.filter(source="owner limit", after="halted").count() == 3
    verdict = OwnerVerdict.objects.get()
    assert Alert.objects.open().get().kind == "owner_limit"
    bots[0].refresh_from_db()
    with pytest.raises(InvalidBot, match="max_drawdown"):
        start_bot(bots[0], owner)
    lift_verdict(verdict, owner)
    assert start_bot(bots[0], owner).state == "starting"
    assert not Alert.objects.open().exists()


def test_an_owners_block_pauses_bots_and_a_lift_lets_them_enter_again():
    market = make_market()
    bots = long_bots(market, 2)
    owner = bots[0].owner
    set_limits(owner, {"max_exposure": 0.5}, owner)
    sweep_limits()
    BotManager().step(market.pk)
    assert set(Bot.objects.values_list("state", "desired")) == {("paused", "running")}
    assert Fill.objects.filter(quantity__lt=0).count() == 0, "what they hold stays guarded"
    lift_verdict(OwnerVerdict.objects.get(), owner)
    BotManager().step(market.pk)
    assert set(Bot.objects.values_list("state", flat=True)) == {"running"}
