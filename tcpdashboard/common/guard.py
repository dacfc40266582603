"""Ends sockets whose login has ended, and keeps one person from opening too many."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import orjson
import structlog
from channels.db import database_sync_to_async
from django.conf import settings

from tcpdashboard.common.closing import LOGIN_NEEDED
from tcpdashboard.common.hub import Hub, running_hub
from tcpdashboard.common.outbox import Frame
from tcpdashboard.common.sessions import ENDED, fingerprint, standing_users

log = structlog.get_logger(__name__)


class Guarded(Protocol):
    """A socket under guard."""

    session_key: str
    user: Any

    def renew(self, user: Any) -> None:
        """Go on with the rights that `user`, who is the same person, has now."""

    def end(self, code: int) -> None:
        """Close with `code`."""


class Guard:
    """Knows the sockets of one event loop; its methods are called from that loop only.

    Logins are asked for every `check_s` seconds, for all sockets in two queries; while the
    database is away, sockets stay. Whoever logs out is heard of at once through the hub.
    """

    def __init__(self, hub: Hub, *, limit: int, check_s: float) -> None:
        self.topics: set[str] = set()
        self._hub = hub
        self._limit = limit
        self._check_s = check_s
        self._sockets: dict[str, set[Guarded]] = {}
        self._of_user: Counter[Any] = Counter()
        self._task: asyncio.Task[None] | None = None

    def admit(self, socket: Guarded) -> bool:
        """Take a socket under guard, unless its user has as many as one may have."""
        if self._of_user[socket.user.pk] >= self._limit:
            return False
        self._of_user[socket.user.pk] += 1
        self._sockets.setdefault(socket.session_key, set()).add(socket)
        if self._task is None:
            self._hub.join(self, ENDED)
            self._task = asyncio.create_task(self._watch(), name="socket-guard")
        return True

    def dismiss(self, socket: Guarded) -> None:
        """Forget a socket that was admitted."""
        self._of_user -= Counter([socket.user.pk])
        of_session = self._sockets[socket.session_key]
        of_session.discard(socket)
        if not of_session:
            del self._sockets[socket.session_key]
        if not self._sockets and self._task is not None:
            self._hub.leave(self, ENDED)
            self._task.cancel()
            self._task = None

    def push(self, frame: Frame) -> None:
        """Hear that a session has ended; called by the hub."""
        ended = orjson.loads(frame.message.payload).get("session")
        for key in tuple(self._sockets):
            if fingerprint(key) == ended:
                self._end(key)

    def forget(self, topic: str) -> None:
        """Drop what waits of a topic: nothing does."""

    async def _watch(self) -> None:
        ask = database_sync_to_async(standing_users, thread_sensitive=False)
        while True:
            await asyncio.sleep(self._check_s)
            keys = tuple(self._sockets)
            try:
                users = await ask(keys)
            except Exception:
                log.warning("the logins of sockets could not be checked", exc_info=True)
                continue
            for key in keys:
                if key in users:
                    for socket in tuple(self._sockets.get(key, ())):
                        socket.renew(users[key])
                else:
                    self._end(key)

    def _end(self, key: str) -> None:
        for socket in tuple(self._sockets.get(key, ())):
            socket.end(LOGIN_NEEDED)


_guards: WeakKeyDictionary[asyncio.AbstractEventLoop, Guard] = WeakKeyDictionary()


def running_guard() -> Guard:
    """Return the guard of the running event loop."""
    loop = asyncio.get_running_loop()
    guard = _guards.get(loop)
    if guard is None:
        guard = _guards[loop] = Guard(
            running_hub(),
            limit=settings.SOCKETS_PER_USER,
            check_s=settings.SOCKET_CHECK_SECONDS,
        )
    return guard
