"""The meeting point of topics and sockets: one for each event loop of a process.

A topic is followed while somebody wants it. Each of its messages is encoded once and pushed to all
its connections; whoever joins later begins with the last message pushed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from django.conf import settings

from tcpdashboard.common.connection import Connection
from tcpdashboard.common.feed import Feed
from tcpdashboard.common.outbox import Frame, Kind, Outbox
from tcpdashboard.common.realtime import Message

MAX_FINAL: Final = 4096


class Member(Protocol):
    """Whoever may follow topics: a browser's connection, or a part of this process."""

    topics: set[str]

    def push(self, frame: Frame) -> None:
        """Take a message."""

    def forget(self, topic: str) -> None:
        """Drop what waits of a topic."""


@dataclass(slots=True, eq=False)
class Topic:
    """Who follows a topic, and the last message they were given."""

    members: set[Member] = field(default_factory=set)
    sent: Message | None = None


class Hub:
    """Its methods are called from its event loop only. It lets go of Redis without sockets."""

    def __init__(self, redis_url: str) -> None:
        self._feed = Feed(redis_url, self._put, self._set_live)
        self._connections: set[Connection] = set()
        self._topics: dict[str, Topic] = {}
        self._outbox = Outbox(MAX_FINAL)
        self._outbox_filled = asyncio.Event()
        # None until the first attempt to reach Redis has ended.
        self._is_live: bool | None = None
        self._run_task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether Redis is followed: it is while there are sockets."""
        return self._run_task is not None

    @property
    def topic_names(self) -> frozenset[str]:
        """The topics that somebody follows."""
        return frozenset(self._topics)

    def attach(self, connection: Connection) -> None:
        """Take a socket in; it is told whether Redis is reached, as soon as that is known."""
        self._connections.add(connection)
        if self._is_live is not None:
            connection.reply(status_text(self._is_live))
        if self._run_task is None:
            self._run_task = asyncio.create_task(self._run(), name="realtime-hub")

    def join(self, member: Member, name: str) -> None:
        """Give `member` the topic's snapshot, as soon as it is known, and then its updates."""
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = Topic()
            self._feed.want(name)
        topic.members.add(member)
        member.topics.add(name)
        if topic.sent is not None:
            member.push(Frame(topic.sent, Kind.SNAPSHOT))

    def leave(self, member: Member, name: str) -> None:
        """End a subscription; unknown ones are ignored."""
        member.topics.discard(name)
        member.forget(name)
        topic = self._topics.get(name)
        if topic is None:
            return
        topic.members.discard(member)
        if not topic.members:
            del self._topics[name]
            self._outbox.discard(name)
            self._feed.drop(name)

    async def detach(self, connection: Connection) -> None:
        """Forget a socket."""
        for name in list(connection.topics):
            self.leave(connection, name)
        self._connections.discard(connection)
        await connection.close()
        if not self._connections and self._run_task is not None:
            task, self._run_task = self._run_task, None
            self._is_live = None
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._feed.run())
            tasks.create_task(self._deliver())

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
                    for member in tuple(topic.members):
                        member.push(frame)
                # Sockets and the feed get their turn between two messages.
                await asyncio.sleep(0)

    def _set_live(self, is_live: bool) -> None:
        if not is_live:
            # Snapshots come in place of what waits.
            self._outbox = Outbox(MAX_FINAL)
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
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = Hub(settings.REDIS_URL)
    return hub
