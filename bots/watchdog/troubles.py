"""Keeping what is wrong with bots on their rows, and telling it once for what they have in common.

A thousand bots on one dead feed are one alert to their owner, not a thousand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import structlog

from bots.domain.liveness import Trouble
from bots.models import Bot, BotEvent
from tcpdashboard.common.alerts import end_alert, raise_alert
from tcpdashboard.common.models import Alert

_PREFIX: Final = "bots of "
_MOST_NAMED: Final = 20
_SAYS: Final = {
    Trouble.FEED_STALE: "wait for {instrument}, of which nothing comes any more: see its collector "
    "on the System page. They go on by themselves.",
    Trouble.DATA_GAP: "wait for a minute of {instrument} that is missing: it is being repaired, or "
    "left out in some minutes. See the Data page.",
    Trouble.STRATEGY_ERROR: "are stopped by an error of their strategy ({config}): the traceback "
    "is on the bot's page.",
    Trouble.WORKER_DEAD: "are not stepped although candles are there: see the worker of queue "
    "ticks on the System page.",
}
_CRITICAL: Final = (Trouble.WORKER_DEAD, Trouble.STRATEGY_ERROR)

log = structlog.get_logger(__name__)


def keep_troubles(bots: Iterable[Bot], found: Mapping[int, Trouble]) -> list[Bot]:
    """Store the trouble of each bot where it is another one than before; return those bots."""
    changed = [bot for bot in bots if bot.trouble != found[bot.pk]]
    for trouble in {found[bot.pk] for bot in changed}:
        these = [bot.pk for bot in changed if found[bot.pk] == trouble]
        Bot.objects.filter(pk__in=these).update(trouble=trouble)
    BotEvent.objects.bulk_create(
        BotEvent(
            bot=bot,
            run_id=bot.run_id,
            kind="trouble",
            time=bot.cursor,
            source=BotEvent.WATCHDOG,
            why=_why(bot.trouble, found[bot.pk]),
            details={"before": bot.trouble, "after": str(found[bot.pk])},
        )
        for bot in changed
    )
    for bot in changed:
        log.warning("bot_trouble", bot=bot.pk, before=bot.trouble, after=str(found[bot.pk]))
        bot.trouble = str(found[bot.pk])
    return changed


def tell_troubles(bots: Iterable[Bot], now: datetime) -> None:
    """Raise the alerts of bots in trouble that are not open yet, and end those that are over.

    That of a strategy stays while bots that were started anew may fail again at once.
    """
    wanted: dict[tuple[str, str], list[Bot]] = defaultdict(list)
    held = set()
    for bot in bots:
        if bot.trouble in _SAYS:
            wanted[bot.trouble, _subject(bot, bot.trouble)].append(bot)
        elif bot.restarts and bot.restart_at is not None and now < bot.restart_at:
            held.add((str(Trouble.STRATEGY_ERROR), _subject(bot, Trouble.STRATEGY_ERROR)))
    kinds = [str(one) for one in _SAYS]
    open_ones = Alert.objects.open().filter(kind__in=kinds, subject__startswith=_PREFIX)
    known = set(open_ones.values_list("kind", "subject"))
    for kind, subject in known - wanted.keys() - held:
        end_alert(kind, subject)
    for kind, subject in wanted.keys() - known:
        _raise(Trouble(kind), subject, wanted[kind, subject])


def _raise(trouble: Trouble, subject: str, bots: list[Bot]) -> None:
    first = bots[0]
    names = ", ".join(bot.name for bot in bots[:_MOST_NAMED])
    says = _SAYS[trouble].format(instrument=first.instrument, config=first.config)
    severity = Alert.Severity.CRITICAL if trouble in _CRITICAL else Alert.Severity.WARNING
    raise_alert(
        trouble,
        subject,
        f"{len(bots)} of {first.owner}'s bots {says} {names}",
        severity=severity,
        details={"bots": [bot.pk for bot in bots[:_MOST_NAMED]], "number": len(bots)},
        owner_id=first.owner_id,
    )


def _subject(bot: Bot, trouble: str) -> str:
    owner = f"{_PREFIX}{bot.owner}"
    if trouble == Trouble.WORKER_DEAD:
        return owner[:128]
    cause = bot.config if trouble == Trouble.STRATEGY_ERROR else bot.instrument
    return f"{owner}: {cause}"[:128]


def _why(before: str, after: Trouble) -> str:
    return f"{before or 'well'} → {after or 'well'}".replace("_", " ")
