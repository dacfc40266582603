"""Starting bots anew that an error stopped or that stand still, until their budget is used up."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F

from bots.changes import change_state
from bots.domain.lifecycle import TransitionRefused
from bots.domain.liveness import Budget, Trouble
from bots.models import Bot, BotEvent, OwnerVerdict
from marketdata.domain.timeframe import Timeframe

log = structlog.get_logger(__name__)


def budget() -> Budget:
    """Return what the settings grant."""
    return Budget(settings.BOT_RESTARTS, settings.BOT_RESTART_SECONDS)


def restart_failed(bot: Bot, now: datetime) -> bool:
    """Start a bot anew that its strategy stopped, when its pause is over; return whether.

    None is while a limit over all bots of its owner stands: it would enter again.
    """
    granted = budget()
    if bot.desired == Bot.Desired.STOPPED or granted.is_used_up(bot.restarts):
        return False
    # It got on since the last pause: this failure has its own.
    has_moved = bot.restart_at and bot.heartbeat_at and bot.restart_at < bot.heartbeat_at
    if bot.restart_at is None or has_moved:
        _note(bot, now + granted.pause(bot.restarts))
        return False
    if now < bot.restart_at:
        return False
    number = bot.restarts + 1
    why = f"started anew after an error, {number} of {granted.restarts}"
    try:
        with transaction.atomic():
            # Asked once the row is ours: who passes a verdict orders what is alive, or held.
            list(Bot.objects.select_for_update(no_key=True).filter(pk=bot.pk))
            if _is_forbidden(bot):
                return False
            change_state(
                bot, Bot.State.STARTING, source=BotEvent.WATCHDOG, why=why, restarts=number
            )
            Bot.objects.filter(pk=bot.pk).update(
                restart_at=now + granted.pause(number), restarts=number
            )
    except TransitionRefused:
        return False
    return True


def nudge_stalled(bot: Bot, now: datetime) -> bool:
    """Ask again for the step of a bot that stands still while workers run; return whether.

    One that still stands when the budget is used up goes into state error, for a person.
    """
    granted = budget()
    if bot.restart_at is not None and now < bot.restart_at:
        return False
    if not granted.is_used_up(bot.restarts):
        _note(bot, now + granted.pause(bot.restarts), restarts=F("restarts") + 1)
        return True
    told = f"it stood still at {bot.cursor:%Y-%m-%d %H:%M} after {bot.restarts} attempts"
    try:
        change_state(bot, Bot.State.ERROR, source=BotEvent.WATCHDOG, why=told, last_error=told)
    except TransitionRefused:
        log.info("bot_moved_after_all", bot=bot.pk)
    return False


def forgive(bot: Bot, now: datetime) -> None:
    """Grant the whole budget again to a bot that went well for a while since its last restart."""
    if bot.restarts == 0 or bot.restart_at is None or bot.trouble != Trouble.NONE:
        return
    # One candle of it at least, as that may be what it fails at.
    well = timedelta(milliseconds=Timeframe(bot.timeframe).ms) + timedelta(
        seconds=settings.BOT_RESTART_SECONDS
    )
    if now > bot.restart_at + well:
        Bot.objects.filter(pk=bot.pk).update(restarts=0, restart_at=None)


def _is_forbidden(bot: Bot) -> bool:
    is_live = bot.drive == Bot.Drive.LIVE
    return is_live and OwnerVerdict.objects.filter(owner=bot.owner_id, lifted_at=None).exists()


def _note(bot: Bot, at: datetime, **values: object) -> None:
    Bot.objects.filter(pk=bot.pk, state=bot.state).update(restart_at=at, **values)
    bot.restart_at = at
