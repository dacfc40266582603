"""Messages of wanted topics as Redis publishes them, over one connection that is made anew."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import structlog
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from tcpdashboard.common.outbox import Frame, Kind, OutboxFull
from tcpdashboard.common.realtime import (
    KEPT_FIELDS,
    Message,
    channel_of,
    database_of,
    kept_message,
    key_of,
    nothing_kept,
    published_message,
)

PING_S: Final = 2.0
SILENCE_S: Final = 5.0
TIMEOUT_S: Final = 2.0
LAST_RETRY_S: Final = 5.0

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Followed:
    """Where a wanted topic stands.

    `newest` is the last message handed on, None until the kept one is read; what Redis publishes
    in the meantime waits in `early`.
    """

    newest: Message | None = None
    early: list[Message] = field(default_factory=list)


class Feed:
    """Calls `on_frame` with a snapshot of each wanted topic and then with every newer message.

    After a lost connection every topic begins with a snapshot again. `on_live` is told when Redis
    is reached and when it is lost. An OutboxFull raised by `on_frame` counts as a lost connection.
    """

    def __init__(
        self,
        redis_url: str,
        on_frame: Callable[[Frame], None],
        on_live: Callable[[bool], None],
    ) -> None:
        self._redis_url = redis_url
        self._on_frame = on_frame
        self._on_live = on_live
        self._is_live = False
        self._channel_prefix = channel_of("", database_of(self._pool().connection_kwargs))
        self._followed: dict[str, Followed] = {}
        self._confirmed: set[str] = set()
        self._to_load: set[str] = set()
        self._wanted_changed = asyncio.Event()
        self._load_wanted = asyncio.Event()

    def want(self, name: str) -> None:
        """Follow a topic from now on."""
        self._followed[name] = Followed()
        self._wanted_changed.set()
        if name in self._confirmed:
            self._want_load(name)

    def drop(self, name: str) -> None:
        """Follow a topic no longer."""
        del self._followed[name]
        self._wanted_changed.set()

    async def run(self) -> None:
        """Follow the wanted topics until cancelled."""
        failures = 0
        self._is_live = False
        while True:
            try:
                await self._follow()
            except* (RedisError, OSError, OutboxFull) as errors:
                log.warning("the realtime feed lost Redis", error=str(errors.exceptions[0]))
            except* Exception:
                log.exception("the realtime feed failed and begins again")
            failures = 0 if self._is_live else failures + 1
            self._is_live = False
            self._on_live(False)
            limit = min(LAST_RETRY_S, 0.1 * 2**failures)
            await asyncio.sleep(limit * random.uniform(0.5, 1.0))  # noqa: S311 - no secret

    async def _follow(self) -> None:
        """Follow over one connection until it fails."""
        pool = self._pool()
        connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await connection.connect()  # type: ignore[no-untyped-call]
            self._confirmed.clear()
            self._to_load.clear()
            for followed in self._followed.values():
                followed.newest = None
                followed.early.clear()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._command(connection))
                tasks.create_task(self._read(connection))
                tasks.create_task(self._load(Redis(connection_pool=pool)))
        finally:
            await connection.disconnect(nowait=True)
            await pool.disconnect()

    def _pool(self) -> ConnectionPool:
        # No socket_timeout: redis-py would send through asyncio.wait_for, which on Python 3.11
        # can swallow a cancellation. Every wait in this module has a deadline of its own.
        return ConnectionPool.from_url(
            self._redis_url, socket_timeout=None, retry=Retry(NoBackoff(), 0)
        )

    async def _command(self, connection: AbstractConnection) -> None:
        """Keep the subscriptions as wanted, and ask for a sign of life in between."""
        subscribed: set[str] = set()
        while True:
            self._wanted_changed.clear()
            wanted = set(self._followed)
            self._confirmed -= subscribed - wanted
            if wanted - subscribed:
                await self._send(connection, "SUBSCRIBE", *self._channels(wanted - subscribed))
            if subscribed - wanted:
                await self._send(connection, "UNSUBSCRIBE", *self._channels(subscribed - wanted))
            subscribed = wanted
            try:
                async with asyncio.timeout(PING_S):
                    await self._wanted_changed.wait()
            except TimeoutError:
                await self._send(connection, "PING")

    async def _send(self, connection: AbstractConnection, *command: str) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            await connection.send_command(*command)

    def _channels(self, names: Iterable[str]) -> list[str]:
        return [self._channel_prefix + name for name in names]

    async def _read(self, connection: AbstractConnection) -> None:
        prefix = len(self._channel_prefix)
        # Whatever Redis says shows that it is there, its answers to PING at the latest.
        await self._send(connection, "PING")
        while True:
            answer = await connection.read_response(timeout=SILENCE_S)
            if answer is None:
                raise RedisConnectionError(f"Redis said nothing for {SILENCE_S:.0f} s")
            if not self._is_live:
                self._is_live = True
                self._on_live(True)
            if not isinstance(answer, list) or len(answer) != 3:
                continue  # an answer to PING
            kind, channel, data = answer
            name = channel[prefix:].decode()
            if kind == b"message":
                self._accept(published_message(name, data))
            elif kind == b"subscribe":
                self._confirmed.add(name)
                self._want_load(name)

    def _want_load(self, name: str) -> None:
        self._to_load.add(name)
        self._load_wanted.set()

    async def _load(self, redis: Redis) -> None:
        """Read the kept messages of topics whose subscription Redis has confirmed."""
        while True:
            await self._load_wanted.wait()
            self._load_wanted.clear()
            names = [name for name in self._to_load if name in self._followed]
            self._to_load.clear()
            pipeline = redis.pipeline(transaction=False)
            for name in names:
                # Whatever came until now is older than what is read next.
                self._followed[name] = Followed()
                pipeline.hmget(key_of(name), KEPT_FIELDS)
            async with asyncio.timeout(TIMEOUT_S):
                rows = await pipeline.execute()
            for name, kept in zip(names, rows, strict=True):
                self._start(name, kept_message(name, kept) or nothing_kept(name))

    def _start(self, name: str, kept: Message) -> None:
        """Begin with the kept message, or read again when Redis lost it at this very moment."""
        followed = self._followed.get(name)
        if followed is None:
            return
        if any(message.epoch != kept.epoch for message in followed.early):
            self._want_load(name)
            return
        followed.newest = kept
        self._on_frame(Frame(kept, Kind.SNAPSHOT))
        for message in followed.early:
            self._accept(message)
        followed.early.clear()

    def _accept(self, message: Message) -> None:
        followed = self._followed.get(message.topic)
        if followed is None:
            return
        if followed.newest is None:
            followed.early.append(message)
        elif message.is_newer(followed.newest):
            kind = Kind.UPDATE if message.follows(followed.newest) else Kind.SNAPSHOT
            followed.newest = message
            self._on_frame(Frame(message, kind))
