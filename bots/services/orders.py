"""What a person orders of one bot: start, pause, resume, flatten, stop.

Whether it may be done is decided here; when it takes effect is for the step, which applies orders
at the bot's cursor, so that a replay finds them where they were.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction

from bots.changes import change_state
from bots.domain.risk import MAX_DAILY_LOSS, MAX_EXPOSURE
from bots.loading import InvalidBot, trading_errors
from bots.models import Bot, BotCommand, BotRun, OwnerLimits, OwnerVerdict
from bots.publishing import tell_bots
from bots.services.asking import ask_for
from bots.services.locking import PERSON, SYSTEM, lock_owner, locked
from bots.services.proof import proof_errors
from marketdata.domain.timeframe import Timeframe
from strategies.services import use_config

_STARTABLE: Final = (Bot.State.CREATED, Bot.State.STOPPED, Bot.State.HALTED, Bot.State.ERROR)
_AT_WORK: Final = (Bot.State.RUNNING, Bot.State.PAUSED)
_STANDING: Final = "{limit} of all your bots was reached at {time:%Y-%m-%d %H:%M} UTC: {until}"
_UNTIL_DAY: Final = "it ends with the day, or when a person lifts it on the Portfolio page"
_UNTIL_BELOW: Final = "it ends when it is below again, or when a person lifts it"
_UNTIL_LIFTED: Final = "a person must lift it on the Portfolio page"
_UNTIL: Final = {MAX_DAILY_LOSS: _UNTIL_DAY, MAX_EXPOSURE: _UNTIL_BELOW}


@transaction.atomic
def start_bot(bot: Bot, actor: User | None, why: str = "") -> Bot:
    """Let a bot run: the next step opens a run with the account as it is, and goes on.

    Raises InvalidBot, by field, when it runs already, when its configuration has no standing
    proof, when its instrument is not collected, or when a limit of its owner forbids it.
    """
    lock_owner(bot.owner_id)
    row = locked(bot)
    if row.state not in _STARTABLE:
        raise InvalidBot({"bot": f"{row} is {row.state}: it cannot be started"})
    if errors := _start_errors(row):
        raise InvalidBot(errors)
    use_config(row.config)
    forgotten = {"trouble": "", "restarts": 0, "restart_at": None}
    silenced = {"last_error": "", "last_traceback": ""}
    _want(row, Bot.Desired.RUNNING, **forgotten, **silenced)
    change_state(row, Bot.State.STARTING, source=_source(actor), actor=actor, why=why)
    ask_for({row.instrument_id})
    return row


@transaction.atomic
def pause_bot(bot: Bot, actor: User | None, why: str = "") -> Bot:
    """Let a bot enter nothing new; what it holds is still guarded. Raises InvalidBot."""
    row = locked(bot)
    _refuse_unless(row, "paused", Bot.State.RUNNING)
    _want(row, Bot.Desired.PAUSED)
    _order(row, BotCommand.Kind.PAUSE, actor, why)
    return row


@transaction.atomic
def resume_bot(bot: Bot, actor: User | None, why: str = "") -> Bot:
    """Let a paused bot enter again. Raises InvalidBot, also while a limit of its owner stands."""
    row = locked(bot)
    _refuse_unless(row, "resumed", *_AT_WORK)
    if errors := _verdict_errors(row.owner_id):
        raise InvalidBot(errors)
    _want(row, Bot.Desired.RUNNING)
    _order(row, BotCommand.Kind.RESUME, actor, why)
    return row


@transaction.atomic
def flatten_bot(bot: Bot, actor: User | None, why: str = "") -> Bot:
    """Let a bot close its position at the last trade and go on. Raises InvalidBot."""
    row = locked(bot)
    _refuse_unless(row, "flattened", *_AT_WORK)
    _order(row, BotCommand.Kind.FLATTEN, actor, why)
    return row


@transaction.atomic
def stop_bot(bot: Bot, actor: User | None, *, flatten: bool = True, why: str = "") -> Bot:
    """End a bot's run, its position closed first unless it is to be kept. Raises InvalidBot.

    A position that is kept is there when the bot is started again.
    """
    row = locked(bot)
    _refuse_unless(row, "stopped", Bot.State.STARTING, Bot.State.ERROR, *_AT_WORK)
    _want(row, Bot.Desired.STOPPED)
    told: dict[str, Any] = {"source": _source(actor), "actor": actor, "why": why}
    if not BotRun.objects.filter(bot=row, end=None).exists():
        change_state(row, Bot.State.STOPPED, **told)
        return row
    if flatten:
        _order(row, BotCommand.Kind.FLATTEN, actor, why or "stopped")
    change_state(row, Bot.State.STOPPING, **told)
    ask_for({row.instrument_id})
    return row


def _start_errors(bot: Bot) -> dict[str, str]:
    errors = proof_errors(bot.config)
    instrument = bot.instrument
    if bot.drive == Bot.Drive.LIVE and not instrument.is_enabled:
        errors["symbol"] = (
            f"{instrument} is not collected: switch its collection on, on the Markets page"
        )
    settings = trading_errors(bot.trading, instrument, Timeframe(bot.timeframe))
    errors |= {f"trading.{name}": reason for name, reason in settings.items()}
    return errors | _verdict_errors(bot.owner_id) | _number_errors(bot.owner_id)


def _verdict_errors(owner_id: int) -> dict[str, str]:
    standing = OwnerVerdict.objects.filter(owner=owner_id, lifted_at=None).first()
    if standing is None:
        return {}
    until = _UNTIL.get(standing.limit, _UNTIL_LIFTED)
    return {standing.limit: _STANDING.format(limit=standing.limit, time=standing.time, until=until)}


def _number_errors(owner_id: int) -> dict[str, str]:
    limits = OwnerLimits.objects.filter(owner=owner_id).first()
    most = limits.max_open_bots if limits else None
    alive = Bot.objects.alive().filter(owner=owner_id).count()
    if most is None or alive < most:
        return {}
    return {"max_open_bots": f"{alive} of your bots are alive, {most} may be: stop one first"}


def _refuse_unless(bot: Bot, done: str, *states: Bot.State) -> None:
    if bot.state not in states:
        raise InvalidBot({"bot": f"{bot} is {bot.state}: it cannot be {done}"})


def _order(bot: Bot, kind: BotCommand.Kind, actor: User | None, why: str) -> None:
    BotCommand.objects.create(bot=bot, kind=kind, asked_by=actor, why=why)
    ask_for({bot.instrument_id})


def _want(bot: Bot, desired: Bot.Desired, **values: object) -> None:
    Bot.objects.filter(pk=bot.pk).update(desired=desired, **values)
    bot.desired = desired
    for name, value in values.items():
        setattr(bot, name, value)
    # The step tells what comes of it; without a run there may be none.
    tell_bots({bot.pk: bot.owner_id})


def _source(actor: User | None) -> str:
    return PERSON if actor else SYSTEM
