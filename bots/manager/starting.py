"""Opening runs: by what they decide and trade, from which candle on, with which account."""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from backtests.domain.records import KERNEL_VERSION, States, new_state
from backtests.domain.units import Units
from bots.changes import change_state
from bots.domain.accounts import gone_on, started_again
from bots.domain.halves import Place
from bots.manager.strategies import describe, make
from bots.manager.view import InstrumentView
from bots.models import Bot, BotCommand, BotEvent, BotRun
from bots.recorder import Ending, begin_account, end_runs, open_run
from bots.storage.rows import kernel_of
from bots.storage.runs import engine_of, settings_of
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import from_ms, to_ms
from strategies.sandbox.own import OwnStrategy

_warmups: dict[tuple[str, str, str, str], int] = {}


class UnitsChanged(Exception):
    """An account was kept in ticks and lots that the instrument no longer has."""


def ask_warmup(bot: Bot) -> bool:
    """Have the strategy that a bot is set to say how long it warms up; return True.

    Before its row is taken: the code may run in a process of its own. Raises whatever makes the
    strategy impossible.
    """
    _warmup(bot)
    return True


def start_bot(bot_id: int, view: InstrumentView) -> bool:
    """Open the next run of a starting bot, or go on with the one that an error left open.

    Returns whether it runs now: not without an exchange's clock, and not while somebody else
    holds it. Raises whatever makes its strategy impossible.
    """
    with transaction.atomic():
        rows = Bot.objects.select_for_update(of=("self",), skip_locked=True, no_key=True)
        bot = rows.select_related("config", "instrument").filter(pk=bot_id).first()
        if bot is None or bot.state != Bot.State.STARTING:
            return False
        open_one = BotRun.objects.filter(bot=bot, end=None).first()
        if open_one is not None:
            _go_on(bot, open_one)
            return True
        start_ms = _start_ms(bot, view)
        if start_ms is None:
            return False
        _drop_old_orders(bot)
        run = begin_run(bot.pk, start_ms, _kernel(bot))
        bot.run_id = run.pk
        change_state(bot, Bot.State.RUNNING, source="step", why=f"run {run.number}", time=run.start)
    return True


def begin_run(bot_id: int, start_ms: int, kernel: States | None) -> BotRun:
    """Open a run by a bot's settings as they are, and put the bot at its start.

    Without a `kernel` it begins with the initial balance, which is posted. To be called in a
    transaction that holds the bot's row, once its strategy was asked; see `ask_warmup`.
    """
    bot = Bot.objects.select_related("config", "instrument", "run").get(pk=bot_id)
    timeframe = Timeframe(bot.timeframe)
    engine = engine_of(bot.instrument, timeframe, bot.trading)
    description = describe(bot.config.strategy)
    deposit = engine.units.cash_to_units(engine.trading.cash) if kernel is None else 0
    first = new_state(deposit) if kernel is None else kernel
    _check_units(bot, engine.units)
    age_s = bot.max_entry_age_s
    values = {
        "version": bot.version,
        "config": bot.config,
        "strategy": bot.config.strategy,
        "params": bot.config.params,
        "source_hash": description.code_hash,
        "source": description.code,
        "engine_version": KERNEL_VERSION,
        "instrument": bot.instrument,
        "timeframe": bot.timeframe,
        "trading": bot.trading,
        "units": engine.units.as_json(),
        "min_size": engine.market.minimum_size,
        "max_entry_age_ms": timeframe.ms if age_s is None else age_s * 1000,
        "anchor": from_ms(anchor_ms(timeframe, start_ms, _warmup(bot))),
        "start": from_ms(start_ms),
    }
    run = open_run(values, bot.pk, first)
    run.refresh_from_db(fields=("started_at",))
    begin_account(bot, settings_of(run), first, deposit)
    return run


def _check_units(bot: Bot, units: Units) -> None:
    """Raise UnitsChanged when an account cannot go on: its whole numbers mean something else."""
    before = bot.run.units if bot.run is not None else None
    if before is not None and Units.from_json(before) != units:
        raise UnitsChanged(
            "the exchange has changed the tick or the lot of this instrument since the account was "
            "opened: reset the bot, or clone it"
        )


def anchor_ms(timeframe: Timeframe, start_ms: int, warmup: int) -> int:
    """Return the open time of the first candle that signals are computed from.

    It is the first one of its UTC day, so that bots that start on one day decide as one group.
    """
    first_ms = timeframe.open_time(start_ms) - warmup * timeframe.ms
    return max(0, first_ms - first_ms % DAY_MS)


def _go_on(bot: Bot, run: BotRun) -> None:
    """Go on where an error stopped the run: what was missed is caught up.

    A bot that was edited since does so by its new settings: the old ones may be what failed. The
    minute that it stands in it does to its end by the old ones; see `Advance`.
    """
    kernel = kernel_of(bot.kernel)
    if bot.version != run.version and bot.cursor is not None and bot.phase == Bot.Phase.OPENING:
        place = Place(to_ms(bot.cursor), bot.phase)
        end_runs([Ending(settings_of(run), place, kernel, BotRun.End.EDITED)])
        bot.run_id = begin_run(bot.pk, place.minute_ms, gone_on(kernel, is_edited=True)).pk
    change_state(bot, Bot.State.RUNNING, source="step", why="it goes on where it stood", trouble="")
    if kernel["is_paused"][0]:
        change_state(bot, Bot.State.PAUSED, source="step", why="it was paused before")


def _drop_old_orders(bot: Bot) -> None:
    """Drop what was ordered before somebody started the bot: it concerned a run that is over.

    A start by the watchdog goes on with what was begun: an order to halt holds.
    """
    started = BotEvent.objects.filter(bot=bot, after=Bot.State.STARTING).order_by("-pk")
    started = started.exclude(source=BotEvent.WATCHDOG)
    at = started.values_list("at", flat=True).first()
    if at is not None:
        waiting = BotCommand.objects.waiting().filter(bot=bot, asked_at__lt=at)
        waiting.update(dropped_at=Now())


def _start_ms(bot: Bot, view: InstrumentView) -> int | None:
    """Return the first minute that a bot trades: the next one, or the first it was asked for."""
    done_ms = 0
    if bot.cursor is not None:
        done_ms = to_ms(bot.cursor) + (MINUTE_MS if bot.phase == Bot.Phase.CLOSE else 0)
    if bot.drive == Bot.Drive.STORED and bot.drive_from is not None:
        first_ms = Timeframe.M1.open_time(to_ms(bot.drive_from))
        return max(first_ms, done_ms)
    if not view.now_ms:
        return None
    return max(Timeframe.M1.open_time(view.now_ms) + MINUTE_MS, done_ms)


def _kernel(bot: Bot) -> States | None:
    """Return the account that the last run left; None before the first."""
    last = BotRun.objects.filter(bot=bot).order_by("-number").values_list("last_kernel").first()
    if last is None:
        return None
    return started_again(kernel_of(last[0]))


def _warmup(bot: Bot) -> int:
    """Return how many candles a bot's strategy warms up with. Raises StrategyError."""
    config = bot.config
    name = (
        config.strategy,
        bot.timeframe,
        str(config.params),
        describe(config.strategy).code_hash,
    )
    if name not in _warmups:
        strategy = make(config.strategy, config.params, Timeframe(bot.timeframe))
        _warmups[name] = strategy.warmup
        if isinstance(strategy, OwnStrategy):
            strategy.close()
    return _warmups[name]
