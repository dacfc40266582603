"""One look at all bots."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Max, Q
from django.utils import timezone
from redis import RedisError

from bots.domain.liveness import Patience, Trouble
from bots.models import Bot, BotEvent
from bots.watchdog.restarts import forgive, nudge_stalled, restart_failed
from bots.watchdog.sights import see
from bots.watchdog.troubles import keep_troubles, tell_troubles
from tcpdashboard.common.broker import beat_age_s

_DEAD_AFTER_S: Final = 15.0
"""Beat has every 5 s something done on the queue of the steps."""


def watch_bots() -> set[int]:
    """Judge every bot that should get on; return the instruments whose steps to ask for."""
    now = timezone.now()
    bots = list(_watched())
    found = _judged(bots, now)
    keep_troubles(bots, found)
    tell_troubles(bots, now)
    return _restarted(bots, now)


def _watched() -> list[Bot]:
    alive = Q(state__in=Bot.ALIVE)
    failed = Q(state=Bot.State.ERROR)
    # A bot that is over keeps no trouble.
    over = ~Q(trouble="")
    rows = Bot.objects.filter(alive | failed | over, deleted_at=None)
    return list(rows.select_related("owner", "instrument", "config", "run"))


def _judged(bots: list[Bot], now: datetime) -> dict[int, Trouble]:
    alive = [bot for bot in bots if bot.state in Bot.ALIVE]
    begun = [bot for bot in alive if bot.state != Bot.State.STARTING]
    sights = see(begun, _clocks(begun, now))
    starting = _starting_since(alive)
    is_dead = _is_worker_dead()
    found = {bot.pk: sight.trouble(patience()) for bot in begun if (sight := sights.get(bot.pk))}
    for bot in bots:
        if bot.state == Bot.State.ERROR:
            # A stall that ended in it, or what its strategy did.
            is_stall = bot.trouble == Trouble.WORKER_DEAD
            found[bot.pk] = Trouble.WORKER_DEAD if is_stall else Trouble.STRATEGY_ERROR
        elif bot.pk in starting:
            found[bot.pk] = _of_starting(bot, now - starting[bot.pk], is_dead=is_dead)
    return {bot.pk: found.get(bot.pk, Trouble.NONE) for bot in bots}


def _of_starting(bot: Bot, waited: timedelta, *, is_dead: bool) -> Trouble:
    """Return what keeps a bot from beginning: a worker, or the exchange's clock."""
    if waited < timedelta(seconds=settings.BOT_STALLED_SECONDS):
        return Trouble(bot.trouble)
    return Trouble.WORKER_DEAD if is_dead else Trouble.FEED_STALE


def _starting_since(bots: list[Bot]) -> dict[int, datetime]:
    ids = [bot.pk for bot in bots if bot.state == Bot.State.STARTING]
    began = BotEvent.objects.filter(bot__in=ids, after=Bot.State.STARTING).order_by("bot")
    return dict(began.values_list("bot").annotate(at=Max("at")))


def _restarted(bots: list[Bot], now: datetime) -> set[int]:
    is_dead = _is_worker_dead()
    asked = set()
    for bot in bots:
        is_stalled = bot.state in Bot.ALIVE and bot.trouble == Trouble.WORKER_DEAD
        is_failed = bot.state == Bot.State.ERROR and bot.trouble == Trouble.STRATEGY_ERROR
        # Without a worker it is not the bot's fault.
        if (is_stalled and (is_dead or nudge_stalled(bot, now))) or (
            is_failed and restart_failed(bot, now)
        ):
            asked.add(bot.instrument_id)
        forgive(bot, now)
    return asked


def patience() -> Patience:
    """Return what the settings grant."""
    return Patience(
        stalled_s=settings.BOT_STALLED_SECONDS,
        gap_s=settings.BOT_GAP_SECONDS,
        silent_s=settings.BOT_SILENT_SECONDS,
    )


def _is_worker_dead() -> bool:
    try:
        age_s = beat_age_s()
    except RedisError:
        return True
    return age_s is None or age_s > _DEAD_AFTER_S


def _clocks(bots: list[Bot], now: datetime) -> dict[int, datetime]:
    """Return how far the bots on stored candles are allowed to be by now."""
    return {
        bot.pk: bot.run.start + (now - bot.run.started_at) * bot.drive_speed
        for bot in bots
        if bot.drive == Bot.Drive.STORED and bot.run is not None
    }
