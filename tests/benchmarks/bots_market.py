"""Bots for benchmarks: a few are made as people make them, the others are copies of those."""

from __future__ import annotations

from copy import copy
from typing import Any, Final

from tests.benchmarks.market import YEAR_START_MS, execute, make_instrument, walk

EXCHANGE: Final = "bench-bots"
MINUTE_MS: Final = 60_000

# A copy is where its model is, with a run, an account and a ledger of its own.
_ALIVE: Final = """
update bots_bot as bot
set run_id = run.id, state = 'running', desired = 'running', cursor = model.cursor,
    phase = model.phase, kernel = model.kernel
from bots_botrun as run, bots_bot as model
where run.bot_id = bot.id and bot.run_id is null and model.id = %s and run.bot_id = any(%s)
"""


class Minutes:
    """An instrument and its minutes, stored one by one as they close."""

    def __init__(self, number: int, *, before: int, ahead: int) -> None:
        from marketdata.storage import write_candles

        self.instrument = make_instrument(EXCHANGE, number)
        type(self.instrument).objects.filter(pk=self.instrument.pk).update(is_enabled=True)
        self.instrument.refresh_from_db()
        start_ms = YEAR_START_MS - before * MINUTE_MS
        self.candles = walk(before + ahead, seed=number, start_ms=start_ms)
        self.candles["volume"] += 0.0001
        self.done = before
        write_candles(self.instrument, self.candles[:before], reason="bench")
        self._tell()

    def close(self, count: int = 1) -> None:
        """Store the next minutes, and the first trade of the one after them."""
        from marketdata.storage import write_candles

        rows = self.candles[self.done : self.done + count]
        write_candles(self.instrument, rows, reason="bench")
        self.done += count
        self._tell()

    def _tell(self) -> None:
        from marketdata.models import Collector, Opening, from_ms

        row = self.candles[self.done]
        now = from_ms(int(row["open_time_ms"]) + 50)
        Opening.objects.create(
            instrument=self.instrument,
            open_time=from_ms(int(row["open_time_ms"])),
            price=float(row["open"]),
            trade_id=self.done,
            executed_at=now,
        )
        Collector.objects.update_or_create(
            name=EXCHANGE, defaults={"exchange": EXCHANGE, "exchange_time": now}
        )


def make_bots(minutes: Minutes, number: int, groups: int) -> list[int]:
    """Make running bots of an instrument; return their ids. There are `groups` sets of parameters.

    They cross averages so short that some of them trade at every minute.
    """
    models = [make_model(minutes.instrument, group) for group in range(min(number, groups))]
    _step(minutes)
    ids = [model.pk for model in models]
    for place, model in enumerate(models):
        model.refresh_from_db()
        assert model.state == "running", (model.state, model.last_traceback)
        wanted = number // len(models) + (place < number % len(models)) - 1
        ids += _copies(model, wanted)
    return ids


def make_model(instrument: Any, group: int) -> Any:
    """Make and start a bot that crosses averages of its group."""
    from django.contrib.auth import get_user_model
    from django.utils import timezone

    from backtests.domain.settings import Trading
    from backtests.domain.trading_json import trading_as_json
    from bots.services import BotDraft, create_bot, start_bot
    from strategies.catalogue import describe_strategy
    from strategies.models import StrategyConfig

    owner, _ = get_user_model().objects.get_or_create(username="bench")
    params = {"fast": 2 + group, "slow": 4 + 2 * group}
    config, _ = StrategyConfig.objects.get_or_create(
        owner=owner,
        name=f"EMA {group}",
        defaults={
            "strategy": "ema_crossover",
            "timeframe": "1m",
            "params": params,
            "is_proven": True,
            "proven_at": timezone.now(),
            "proven_code": describe_strategy("ema_crossover").code_hash,
        },
    )
    trading = trading_as_json(Trading())
    draft = BotDraft(f"{instrument.symbol} {group}", instrument, config, trading, 7 * 86_400)
    return start_bot(create_bot(owner, draft), owner)


def _copies(model: Any, number: int) -> list[int]:
    from bots.models import Bot, BotRun, LedgerEntry

    bots = []
    for place in range(number):
        bot = copy(model)
        bot.pk, bot.run, bot.state, bot.name = None, None, "created", f"{model.name} {place}"
        bot._state = copy(model._state)
        bot._state.adding = True
        bots.append(bot)
    made = Bot.objects.bulk_create(bots, batch_size=1000)
    runs = []
    for bot in made:
        run = copy(model.run)
        run.pk, run.bot, run._state = None, bot, copy(model.run._state)
        run._state.adding = True
        runs.append(run)
    runs = BotRun.objects.bulk_create(runs, batch_size=1000)
    entries = []
    for entry in LedgerEntry.objects.filter(bot=model, fill=None):
        for run in runs:
            other = copy(entry)
            other.pk, other.bot_id, other.run_id = None, run.bot_id, run.pk
            entries.append(other)
    # In one statement: a posting must balance at its end.
    LedgerEntry.objects.bulk_create(entries)
    ids = [bot.pk for bot in made]
    execute(_ALIVE, [model.pk, ids])
    return ids


def _step(minutes: Minutes) -> None:
    from bots.manager import BotManager

    BotManager().step(minutes.instrument.pk)
