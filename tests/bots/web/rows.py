"""Rows of bots as the step leaves them, small enough to check by hand."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from backtests.domain.records import KERNEL_VERSION, STATE, new_state
from backtests.domain.settings import Trading
from backtests.domain.trading_json import trading_as_json
from backtests.domain.units import Units
from bots.models import (
    Bot,
    BotEvent,
    BotPerformance,
    Fill,
    LedgerEntry,
    Order,
    ParityReport,
    Signal,
)
from marketdata.models import from_ms
from strategies.catalogue import describe_strategy
from strategies.models import StrategyConfig
from tests.bots.rows import open_run

MINUTE = timedelta(minutes=1)
START_MS = 1_793_577_600_000  # 2026-11-02T00:00:00Z, a Monday
START = from_ms(START_MS)
CASH = Decimal(10_000)


def make_config(owner=None, name="crossing", **values):
    """Make a configuration that passed its proofs."""
    given = {
        "strategy": "ema_crossover",
        "timeframe": "15m",
        "params": {"fast": 12, "slow": 26, "sides": "long"},
        "is_proven": True,
        "proven_at": timezone.now(),
        "proven_code": describe_strategy("ema_crossover").code_hash,
    }
    row = StrategyConfig.objects.create(owner=owner, name=name, **given | values)
    row.refresh_from_db()
    return row


def make_bot(owner, instrument, name="first", *, config=None, **values):
    """Make a bot that was never started."""
    config = config or StrategyConfig.objects.filter(name="crossing").first() or make_config()
    row = Bot.objects.create(
        owner=owner,
        name=name,
        instrument=instrument,
        timeframe=config.timeframe,
        config=config,
        trading=trading_as_json(Trading()),
        **values,
    )
    row.refresh_from_db()
    return row


def run_bot(bot, *, state="running", minutes=60, **record):
    """Open a bot's run: its deposit, a kernel's record and a cursor `minutes` on."""
    kernel = new_state(Units.of(bot.instrument.spec).cash_to_units(CASH))
    first = kernel.tobytes()
    for name, value in record.items():
        assert name in STATE.names
        kernel[name] = value
    told = {"engine_version": KERNEL_VERSION, "max_entry_age_ms": 900_000}
    run = open_run(bot, START, first, anchor=START - timedelta(days=1), **told)
    Bot.objects.filter(pk=bot.pk).update(
        state=state,
        desired="running",
        run=run,
        cursor=START + minutes * MINUTE,
        kernel=kernel.tobytes(),
    )
    bot.refresh_from_db()
    quote = bot.instrument.quote
    told = {"bot": bot, "run": run, "posting": 1, "currency": quote, "time": START}
    LedgerEntry.objects.bulk_create(
        [
            LedgerEntry(account="cash", amount=CASH, **told),
            LedgerEntry(account="capital", amount=-CASH, **told),
        ]
    )
    return run


def add_fill(run, number, minute, quantity, price, *, position, realised="0", fee="1"):
    """Add an order and its fill, `minute` minutes after the run's start."""
    time = run.start + minute * MINUTE
    told = {"bot": run.bot, "run": run, "number": number, "reason": "target"}
    order = Order.objects.create(made=time, target=1_000_000, state="filled", ended=time, **told)
    return Fill.objects.create(
        order=order,
        time=time,
        decided=time,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Decimal(fee),
        slippage=Decimal("0.5"),
        cash=CASH,
        position=Decimal(position),
        realised=Decimal(realised),
        cost=Decimal(position) * Decimal(price),
        **told,
    )


def add_equity(run, values, *, every=15):
    """Add what the account was worth at the closes of candles of `every` minutes."""
    best = float(CASH)
    rows = []
    for place, value in enumerate(values, start=1):
        best = max(best, float(value))
        rows.append(
            BotPerformance(
                bot=run.bot,
                run=run,
                time=run.start + place * every * MINUTE,
                equity=Decimal(str(value)),
                cash=CASH,
                position=0,
                price=60_000,
                drawdown=1 - float(value) / best,
            )
        )
    BotPerformance.objects.bulk_create(rows)


def add_everything(run):
    """Add a row of every kind, so that every list has something to show."""
    add_fill(run, 1, 15, "0.1", "60000", position="0.1")
    add_fill(run, 2, 30, "-0.1", "61000", position="0", realised="100")
    add_equity(run, [10_000, 10_050, 10_098])
    Signal.objects.create(
        bot=run.bot,
        run=run,
        time=run.start + 15 * MINUTE,
        before=0,
        target=1_000_000,
        why={"fast": 60_010.5, "slow": 60_000.25},
        price=Decimal(60_000),
        bid=59_999.9,
        ask=60_000.1,
    )
    BotEvent.objects.create(
        bot=run.bot, run=run, kind="state", before="starting", after="running", source="step"
    )
    return ParityReport.objects.create(
        run=run,
        reason="asked",
        until=run.start + 60 * MINUTE,
        minutes=60,
        fills=2,
        known="matched",
        repaired="diverged",
        repaired_divergence={
            "time_ms": START_MS,
            "what": "fill",
            "cause": "candle revised",
            "recorded": {"tick": "60000"},
            "replayed": {"tick": "60001"},
        },
    )
