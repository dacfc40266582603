"""What browsers are told of bots: topics `bots:<owner>` and `bot:<owner>:<id>`.

`bots` carries the rows that changed within the last seconds, `bot` one whole row. Messages are
hints: a page that gets a snapshot asks REST.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final, cast

import structlog
from django.conf import settings
from django.db import DatabaseError, transaction
from redis import Redis, RedisError

from bots.models import Bot
from bots.models.figures import bot_rows
from tcpdashboard.common.conflation import ConflatingPublisher
from tcpdashboard.common.realtime import TIMEOUT_S, TopicPublisher, channel_of, database_of

KEPT_S: Final = 2.0
"""How long a changed row is told again: what is conflated away is in the next message."""

log = structlog.get_logger(__name__)


def bots_topic(owner_id: int) -> str:
    """Return the topic of all bots of a person."""
    return f"bots:{owner_id}"


def bot_topic(owner_id: int, bot_id: int) -> str:
    """Return the topic of one bot."""
    return f"bot:{owner_id}:{bot_id}"


def tell_bots(owners: Mapping[int, int]) -> None:
    """Tell, after the commit, how bots are; `owners` maps each to its owner. Never raises.

    Nothing is read of bots that nobody follows.
    """
    changed = dict(owners)
    if changed:
        transaction.on_commit(lambda: _tell(changed), robust=True)


def _tell(owners: Mapping[int, int]) -> None:
    try:
        followed = _followed(owners)
        if followed:
            found = bot_rows(Bot.objects.filter(pk__in=followed))
            _shared().tell({row.bot.pk: row.bot.owner_id for row in found}, _told(found))
    except (RedisError, DatabaseError) as error:
        log.warning("bots_not_told", bots=len(owners), error=str(error))


def _told(rows: Iterable[Any]) -> dict[int, dict[str, Any]]:
    return {row.bot.pk: row.as_json() for row in rows}


def _followed(owners: Mapping[int, int]) -> list[int]:
    """Return those bots of which a socket follows the topic, or that of all its owner's."""
    names = {bots_topic(owner) for owner in owners.values()}
    names |= {bot_topic(owner, bot) for bot, owner in owners.items()}
    client = _redis()
    database = database_of(client.connection_pool.connection_kwargs)
    channels = {channel_of(name, database).encode(): name for name in names}
    counts = cast("list[tuple[bytes, int]]", client.pubsub_numsub(*channels))
    heard = {channels[channel] for channel, number in counts if number}
    return [
        bot
        for bot, owner in owners.items()
        if bots_topic(owner) in heard or bot_topic(owner, bot) in heard
    ]


class BotsPublisher:
    """Tells rows at most four times a second and topic; the last state always arrives."""

    def __init__(self, out: ConflatingPublisher) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._recent: dict[int, dict[int, tuple[float, dict[str, Any]]]] = {}

    def tell(self, owners: Mapping[int, int], rows: Mapping[int, dict[str, Any]]) -> None:
        """Offer the rows of changed bots to the topics of each and of their owners."""
        for bot, row in rows.items():
            self._out.offer(bot_topic(owners[bot], bot), {"bot": row})
        for owner in set(owners.values()):
            own = {bot: row for bot, row in rows.items() if owners[bot] == owner}
            self._out.offer(bots_topic(owner), {"bots": self._with_recent(owner, own)})

    def _with_recent(self, owner: int, rows: Mapping[int, dict[str, Any]]) -> list[dict[str, Any]]:
        now = time.monotonic()
        with self._lock:
            known = self._recent.get(owner, {})
            known = {bot: kept for bot, kept in known.items() if kept[0] > now - KEPT_S}
            self._recent[owner] = known | {bot: (now, row) for bot, row in rows.items()}
            return [row for _, row in self._recent[owner].values()]


@cache
def _shared() -> BotsPublisher:
    out = ConflatingPublisher(TopicPublisher(settings.REDIS_URL), "publisher-bots")
    return BotsPublisher(out)


@cache
def _redis() -> Redis:
    return Redis.from_url(
        settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
    )
