"""Bots that are really made, started and stepped, for tests of what becomes of them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from backtests.domain.trading_json import trading_as_json, trading_from_json
from bots.manager import BotManager
from bots.models import Bot
from bots.services import BotDraft, create_bot, start_bot
from marketdata.models import Collector, from_ms
from strategies.catalogue import describe_strategy
from strategies.models import StrategyConfig

LONG_S = 7 * 86_400


def make_trader(
    market: Any,
    params: dict[str, Any],
    *,
    strategy: str = "ema_crossover",
    timeframe: str = "1m",
    name: str = "trader",
    trading: dict[str, Any] | None = None,
    **draft: Any,
) -> Bot:
    """Make a bot of `ada` with a proven configuration of its own; whatever is late may enter."""
    owner, _ = get_user_model().objects.get_or_create(username="ada")
    config = StrategyConfig.objects.create(
        owner=owner,
        name=f"of {name}",
        strategy=strategy,
        timeframe=timeframe,
        params=params,
        is_proven=True,
        proven_at=timezone.now(),
        proven_code=describe_strategy(strategy).code_hash,
    )
    settings = {"max_entry_age_s": LONG_S, **draft}
    whole = trading_as_json(trading_from_json(trading or {}, is_swap=market.kind == "swap"))
    return create_bot(owner, BotDraft(name, market, config, whole, **settings))


def tell_time(exchange: str, now_ms: int) -> None:
    """Let the exchange's clock say a time."""
    Collector.objects.update_or_create(
        name=exchange, defaults={"exchange": exchange, "exchange_time": from_ms(now_ms)}
    )


def started(bot: Bot, *, at_ms: int) -> Bot:
    """Start a bot at a time of the exchange, and let it do what is due."""
    tell_time(bot.instrument.exchange, at_ms)
    start_bot(bot, bot.owner)
    step(bot.instrument)
    bot.refresh_from_db()
    return bot


def step(market: Any) -> None:
    """Do what is due to the bots of a market."""
    BotManager().step(market.pk)
