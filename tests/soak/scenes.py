"""The market of a soak, and the bots that trade it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from marketdata.domain.timeframe import MINUTE_MS
from marketdata.simulator.market import SeededMarket
from tests.chaos.scenes import BEFORE_MIDNIGHT_MS, Scene

SYMBOLS: Final = ("BTC-USDT", "LTC-USDT", "BTC-USDT-SWAP")
TEMPLATE: Final = "soak"
HOUR_MS: Final = 60 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Design:
    """What a bot is made of; its parameters are so short that it decides from the first minutes."""

    symbol: str
    strategy: str
    timeframe: str
    params: dict[str, Any]
    trading: dict[str, Any]


DESIGNS: Final = (
    Design("BTC-USDT", "ema_crossover", "1m", {"fast": 1, "slow": 2}, {"trailing_stop": "0.004"}),
    Design("LTC-USDT", "macd", "1m", {"fast": 3, "slow": 6, "signal": 3}, {"stop_loss": "0.01"}),
    Design(
        "BTC-USDT-SWAP",
        "ema_crossover",
        "1m",
        {"fast": 1, "slow": 3, "sides": "both"},
        {"allow_short": True, "size": "0.5"},
    ),
    Design("BTC-USDT", "donchian_breakout", "5m", {"entry": 3, "exit": 2}, {"take_profit": "0.01"}),
    Design("LTC-USDT", "rsi", "1m", {"period": 4}, {"cooldown_minutes": 3}),
)
"""Different strategies, instruments and timeframes."""


def soak_scene(seed: int, minutes: int) -> Scene:
    """Return `minutes` of the seeded market across midnight; the last one closes."""
    start_ms = BEFORE_MIDNIGHT_MS
    end_ms = start_ms + minutes * MINUTE_MS
    start = datetime.fromisoformat("1970-01-01T00:00:00+00:00") + timedelta(milliseconds=start_ms)
    return Scene(
        template=TEMPLATE,
        market=SeededMarket(seed),
        symbols=SYMBOLS,
        start_ms=start_ms,
        end_ms=end_ms,
        speed=60.0,
        longest_cut_s=300.0,
        options=("--seed", str(seed), "--start", start.isoformat()),
    )


def start_code(number: int, exchange: str) -> str:
    """Return the code that makes and starts so many bots: each design in turn, slightly changed."""
    bots = [
        {
            "name": f"bot {place}",
            "symbol": design.symbol,
            "strategy": design.strategy,
            "timeframe": design.timeframe,
            "params": design.params,
            # Every second one enters late as well.
            "max_entry_age_s": None if place % 2 else 600,
            # Ten sizes: bots of one design decide together and trade apart.
            "trading": {
                "size": str(round(1 - place // len(DESIGNS) % 10 / 20, 2)),
                **design.trading,
            },
        }
        for place, design in ((place, DESIGNS[place % len(DESIGNS)]) for place in range(number))
    ]
    return _START.format(bots=json.dumps(json.dumps(bots)), exchange=exchange)


STOP: Final = """
from bots.models import Bot
from bots.services import stop_bot
for bot in Bot.objects.filter(state__in=("starting", "running", "paused", "error")):
    stop_bot(bot, bot.owner)
"""

_START: Final = """
import json
from django.contrib.auth import get_user_model
from django.utils import timezone
from backtests.domain.trading_json import trading_as_json, trading_from_json
from bots.services import BotDraft, create_bot, start_bot
from marketdata.models import Instrument
from strategies.catalogue import describe_strategy
from strategies.models import StrategyConfig

owner, _ = get_user_model().objects.get_or_create(username="soak")
for one in json.loads({bots}):
    config, _ = StrategyConfig.objects.get_or_create(
        owner=owner,
        name=one["strategy"] + " " + one["symbol"],
        defaults={{
            "strategy": one["strategy"],
            "timeframe": one["timeframe"],
            "params": one["params"],
            "is_proven": True,
            "proven_at": timezone.now(),
            "proven_code": describe_strategy(one["strategy"]).code_hash,
        }},
    )
    market = Instrument.objects.named("{exchange}", one["symbol"])
    trading = trading_from_json(one["trading"], is_swap=market.kind == "swap")
    age_s = one["max_entry_age_s"]
    draft = BotDraft(one["name"], market, config, trading_as_json(trading), age_s)
    start_bot(create_bot(owner, draft), owner)
"""
