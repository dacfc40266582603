"""One Redis subscription per topic and process, shared by all its sockets.

The hub of an event loop subscribes to a topic while somebody wants it, reads the kept message once
Redis has confirmed, and pushes every newer one to the topic's connections. When the connection to
Redis is lost it subscribes again and gives everybody a fresh snapshot.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakKeyDictionary

import structlog
from django.conf import settings
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from tcpdashboard.common.connection import Connection
from tcpdashboard.common.outbox import Frame, Kind, Outbox, OutboxFull
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
MAX_FINAL: Final = 4096

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Topic:
    """A topic somebody in this process follows.

    `newest` is the last message read from Redis and `sent` the last one given to the members.
    Messages that arrive while the kept one is being read wait in `early`.
    """

    name: str
    members: set[Connection] = field(default_factory=set)
    newest: Message | None = None
    sent: Message | None = None
    early: list[Message] = field(default_factory=list)


class Hub:
    """The meeting point of one event loop. Its methods are called from that loop only."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        self._channel_prefix = channel_of("", database_of(self._pool().connection_kwargs))
        self._connections: set[Connection] = set()
        self._topics: dict[str, Topic] = {}
        self._confirmed: set[str] = set()
        self._to_load: set[str] = set()
        self._outbox = Outbox(MAX_FINAL)
        # None until the first attempt to reach Redis has ended.
        self._is_live: bool | None = None
        self._run_task: asyncio.Task[None] | None = None
        # Each wakes one of the hub's loops.
        self._wanted_changed = asyncio.Event()
        self._load_wanted = asyncio.Event()
        self._outbox_filled = asyncio.Event()

    @property
    def is_running(self) -> bool:
        """Whether the hub follows Redis: it does while it has sockets."""
        return self._run_task is not None

    @property
    def topic_names(self) -> frozenset[str]:
        """The topics that somebody follows."""
        return frozenset(self._topics)

    # ------------------------------------------------------------------ called by consumers

    def attach(self, connection: Connection) -> None:
        """Take a socket in; it is told whether Redis is reached, as soon as that is known."""
        self._connections.add(connection)
        if self._is_live is not None:
            connection.reply(status_text(self._is_live))
        if self._run_task is None:
            self._run_task = asyncio.create_task(self._run(), name="realtime-hub")

    def join(self, connection: Connection, name: str) -> None:
        """Give `connection` the topic's snapshot, as soon as it is known, and then its updates."""
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = Topic(name)
            self._wanted_changed.set()
            if name in self._confirmed:
                self._want_load(name)
        topic.members.add(connection)
        connection.topics.add(name)
        if topic.sent is not None:
            connection.push(Frame(topic.sent, Kind.SNAPSHOT))

    def leave(self, connection: Connection, name: str) -> None:
        """End a subscription; unknown ones are ignored."""
        connection.topics.discard(name)
        connection.forget(name)
        topic = self._topics.get(name)
        if topic is None:
            return
        topic.members.discard(connection)
        if not topic.members:
            del self._topics[name]
            self._outbox.discard(name)
            self._wanted_changed.set()

    async def detach(self, connection: Connection) -> None:
        """Forget a socket. Without sockets the hub lets go of Redis."""
        for name in list(connection.topics):
            self.leave(connection, name)
        self._connections.discard(connection)
        await connection.close()
        if not self._connections and self._run_task is not None:
            task, self._run_task = self._run_task, None
            self._is_live = None
            task.cancel()
            await asyncio.wait([task])

    # ------------------------------------------------------------------ the life with Redis

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                await self._follow()
            except* (RedisError, OSError, OutboxFull) as errors:
                log.warning("the realtime hub lost Redis", error=str(errors.exceptions[0]))
            except* Exception:
                log.exception("the realtime hub failed and begins again")
            failures = 0 if self._is_live else failures + 1
            self._set_live(False)
            limit = min(LAST_RETRY_S, 0.1 * 2**failures)
            await asyncio.sleep(limit * random.uniform(0.5, 1.0))  # noqa: S311 - no secret

    async def _follow(self) -> None:
        """Follow all wanted topics over one connection until it fails."""
        pool = self._pool()
        connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await connection.connect()  # type: ignore[no-untyped-call]
            self._forget_all()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._command(connection))
                tasks.create_task(self._read(connection))
                tasks.create_task(self._load(Redis(connection_pool=pool)))
                tasks.create_task(self._deliver())
        finally:
            await connection.disconnect(nowait=True)
            await pool.disconnect()

    def _pool(self) -> ConnectionPool:
        # No socket_timeout: redis-py would send through asyncio.wait_for, which on Python 3.11
        # can swallow a cancellation. Every wait in this module has a deadline of its own.
        return ConnectionPool.from_url(
            self._redis_url, socket_timeout=None, retry=Retry(NoBackoff(), 0)
        )

    def _forget_all(self) -> None:
        self._confirmed.clear()
        self._to_load.clear()
        self._outbox = Outbox(MAX_FINAL)
        for topic in self._topics.values():
            topic.newest = None
            topic.early.clear()

    async def _command(self, connection: AbstractConnection) -> None:
        """Keep the subscriptions as wanted, and ask for a sign of life in between."""
        subscribed: set[str] = set()
        while True:
            self._wanted_changed.clear()
            wanted = set(self._topics)
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

    async def _read(self, connection: AbstractConnection) -> None:
        prefix = len(self._channel_prefix)
        # Whatever Redis says shows that it is there, its answers to PING at the latest.
        await self._send(connection, "PING")
        while True:
            answer = await connection.read_response(timeout=SILENCE_S)
            if answer is None:
                raise RedisConnectionError(f"Redis said nothing for {SILENCE_S:.0f} s")
            self._set_live(True)
            if not isinstance(answer, list) or len(answer) != 3:
                continue  # an answer to PING
            kind, channel, data = answer
            if kind == b"message":
                self._accept(published_message(channel[prefix:].decode(), data))
            elif kind == b"subscribe":
                self._confirmed.add(channel[prefix:].decode())
                self._want_load(channel[prefix:].decode())

    def _channels(self, names: Iterable[str]) -> list[str]:
        return [self._channel_prefix + name for name in names]

    async def _load(self, redis: Redis) -> None:
        """Read the kept messages of topics whose subscription Redis has confirmed."""
        while True:
            await self._load_wanted.wait()
            self._load_wanted.clear()
            topics = [self._topics[name] for name in self._to_load if name in self._topics]
            self._to_load.clear()
            pipeline = redis.pipeline(transaction=False)
            for topic in topics:
                # Whatever came until now is older than what is read next.
                topic.newest = None
                topic.early.clear()
                pipeline.hmget(key_of(topic.name), KEPT_FIELDS)
            async with asyncio.timeout(TIMEOUT_S):
                rows = await pipeline.execute()
            for topic, kept in zip(topics, rows, strict=True):
                self._start(topic, kept_message(topic.name, kept) or nothing_kept(topic.name))

    def _start(self, topic: Topic, kept: Message) -> None:
        """Begin with the kept message, or read again when Redis lost it at this very moment."""
        if any(message.epoch != kept.epoch for message in topic.early):
            self._want_load(topic.name)
            return
        topic.newest = kept
        self._put(Frame(kept, Kind.SNAPSHOT))
        for message in topic.early:
            self._accept(message)
        topic.early.clear()

    def _want_load(self, name: str) -> None:
        self._to_load.add(name)
        self._load_wanted.set()

    def _accept(self, message: Message) -> None:
        topic = self._topics.get(message.topic)
        if topic is None:
            return
        if topic.newest is None:
            topic.early.append(message)
        elif message.is_newer(topic.newest):
            kind = Kind.UPDATE if message.follows(topic.newest) else Kind.SNAPSHOT
            topic.newest = message
            self._put(Frame(message, kind))

    def _put(self, frame: Frame) -> None:
        self._outbox.put(frame)
        self._outbox_filled.set()

    async def _deliver(self) -> None:
        """Push what was read to the connections; when that takes long, the latest values win."""
        while True:
            await self._outbox_filled.wait()
            self._outbox_filled.clear()
            while (frame := self._outbox.take()) is not None:
                topic = self._topics.get(frame.message.topic)
                if topic is not None:
                    topic.sent = frame.message
                    for connection in tuple(topic.members):
                        connection.push(frame)
                # Sockets and the reader get their turn between two messages.
                await asyncio.sleep(0)

    def _set_live(self, is_live: bool) -> None:
        if is_live == self._is_live:
            return
        self._is_live = is_live
        for connection in tuple(self._connections):
            connection.reply(status_text(is_live))


def status_text(is_live: bool) -> str:
    """Return the message that tells a browser whether updates can reach it."""
    return f'{{"type":"status","live":{"true" if is_live else "false"}}}'


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def running_hub() -> Hub:
    """Return the hub of the running event loop."""
    loop: Any = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = Hub(settings.REDIS_URL)
    return hub
