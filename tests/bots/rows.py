"""Bots as the step leaves them, written down without it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from backtests.domain.records import KERNEL_VERSION, new_state
from backtests.domain.units import Units
from bots.changes import change_state
from bots.models import Bot, BotRun

MINUTE = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
DAY = int(MINUTE.timestamp()) // 86_400


def units_of(bot):
    return Units.of(bot.instrument.spec)


def record(bot, cash, *, lots=0, tick=0, equity=None, day_equity=None, day=DAY):
    """Return a kernel's record: `cash` and equities in quote currency, `lots` at price `tick`."""
    units = units_of(bot)
    state = new_state(units.cash_to_units(Decimal(bot.trading["cash"])))
    state["cash"] = units.cash_to_units(Decimal(cash))
    state["lots"], state["last_tick"], state["day"] = lots, tick, day
    worth = int(state["cash"][0]) + lots * tick * units.cash_per_tick_lot
    state["equity"] = worth if equity is None else units.cash_to_units(Decimal(equity))
    start = state["equity"][0] if day_equity is None else units.cash_to_units(Decimal(day_equity))
    state["day_equity"] = start
    return state.tobytes()


def open_run(bot, start, kernel, **values):
    """Write down a bot's first run, from `start` on with the kernel's record `kernel`."""
    given = {"engine_version": KERNEL_VERSION, "max_entry_age_ms": 60_000, "anchor": start} | values
    return BotRun.objects.create(
        bot=bot,
        number=1,
        version=bot.version,
        config=bot.config,
        strategy=bot.config.strategy,
        params=bot.config.params,
        source_hash="0" * 64,
        source="",
        instrument=bot.instrument,
        timeframe=bot.timeframe,
        trading=bot.trading,
        units=units_of(bot).as_json(),
        min_size=bot.instrument.min_size,
        start=start,
        first_kernel=kernel,
        **given,
    )


def begin(bot, minute=MINUTE, kernel=None):
    """Open the first run of a bot."""
    kernel = kernel or record(bot, bot.trading["cash"])
    run = open_run(bot, minute, kernel)
    Bot.objects.filter(pk=bot.pk).update(run=run, cursor=minute, kernel=kernel)
    bot.refresh_from_db()
    return bot


def make_running(bot, minute=MINUTE, kernel=None):
    """Bring a bot into state running, as the step does."""
    change_state(bot, "starting", source="system")
    begin(bot, minute, kernel)
    change_state(bot, "running", source="step", desired=Bot.Desired.RUNNING)
    return bot
