"""People, instruments and configurations that the tests of bots are made of."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from bots.services import checked, create_bot
from marketdata.models import Instrument, to_ms
from marketdata.storage import write_candles
from strategies.catalogue import describe_strategy
from strategies.models import StrategyConfig
from tests.marketdata.api.conftest import make_instrument, minutes

GIVEN = {"name": "EMA on BTC", "exchange": "okx-sim", "symbol": "BTC-USDT", "config": "EMA 3/9"}


def make_person(name="ada", **values):
    return get_user_model().objects.create_user(name, **values)


def make_config(owner=None, name="EMA 3/9", *, timeframe="1m", proven=True, **params):
    """Save a configuration of the EMA crossover; proved, unless told otherwise."""
    code = describe_strategy("ema_crossover").code_hash
    proof = {"is_proven": True, "proven_at": timezone.now(), "proven_code": code}
    return StrategyConfig.objects.create(
        owner=owner,
        name=name,
        strategy="ema_crossover",
        timeframe=timeframe,
        params={"fast": 3, "slow": 9, **params},
        **(proof if proven else {}),
    )


def make_market(symbol="BTC-USDT", **values):
    found = Instrument.objects.filter(exchange="okx-sim", symbol=symbol).first()
    return found or make_instrument(symbol, is_enabled=True, **values)


def store_minute(market, begin):
    """Store the 1m candle that opens at `begin`, a time or its text."""
    begin = parse_datetime(begin) if isinstance(begin, str) else begin
    write_candles(market, minutes(1, start_ms=to_ms(begin)), reason="test")


def make_bot(owner, name="EMA on BTC", **given):
    """Make a bot through the service, with its market and configuration if there is none.

    One on stored candles has the first of them.
    """
    market = make_market(given.get("symbol", "BTC-USDT"))
    if "from" in given:
        store_minute(market, given["from"])
    if not StrategyConfig.objects.filter(name=given.get("config", "EMA 3/9")).exists():
        make_config()
    return create_bot(owner, checked(owner, {**GIVEN, "name": name, **given}))
