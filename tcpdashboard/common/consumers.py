"""The socket at /ws/stream/: authenticates, authorises each topic, subscribes, forwards.

The user and the session are read before `websocket.connect` is answered; after that a socket lives
on Redis alone, and the guard asks from time to time whether its login still stands. It is a plain
ASGI application under Channels' middleware: a Channels consumer would cost one more task per socket
and a thread switch per message. It needs `with_wire` around.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
import structlog

from tcpdashboard.common.closing import (
    LOGIN_NEEDED,
    TOO_MANY_MESSAGES,
    TOO_MANY_SOCKETS,
    close_event,
)
from tcpdashboard.common.connection import SEND_TIMEOUT_S, Connection, Send
from tcpdashboard.common.guard import running_guard
from tcpdashboard.common.hub import Hub, running_hub
from tcpdashboard.common.sockets import Wire
from tcpdashboard.common.topics import ForbiddenTopic, TopicRegistry, UnknownTopic

MAX_MESSAGE_CHARS: Final = 16_384
MAX_TOPICS: Final = 100
MAX_MESSAGES_PER_S: Final = 30
LAST_WORD_S: Final = 5.0

Receive = Callable[[], Awaitable[dict[str, Any]]]

log = structlog.get_logger(__name__)


class StreamApplication:
    """The ASGI application of the stream; one object serves all sockets."""

    def __init__(self, topics: TopicRegistry, send_timeout_s: float = SEND_TIMEOUT_S) -> None:
        self._topics = topics
        self._send_timeout_s = send_timeout_s

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one socket until it closes."""
        event = await receive()
        if event["type"] != "websocket.connect":
            return
        await send({"type": "websocket.accept"})
        user = scope.get("user")
        if user is None or not user.is_authenticated:
            # Closed after the acceptance: a browser is not told the code of a refused one.
            await send(close_event(LOGIN_NEEDED))
            return
        socket = StreamSocket(
            self._topics, user, scope["session"].session_key, scope["wire"], self._send_timeout_s
        )
        guard = running_guard()
        if not guard.admit(socket):
            log.warning("a user has too many stream sockets", user=user.pk)
            await send(close_event(TOO_MANY_SOCKETS))
            return
        try:
            await socket.serve(receive)
        finally:
            guard.dismiss(socket)


class StreamSocket:
    """One accepted socket."""

    def __init__(
        self,
        topics: TopicRegistry,
        user: Any,
        session_key: str,
        wire: Wire,
        send_timeout_s: float,
    ) -> None:
        self.user = user
        self.session_key = session_key
        self._topics = topics
        self._wire = wire
        self._hub: Hub = running_hub()
        self._connection = Connection(wire.send, self.end, send_timeout_s)
        self._limit = RateLimit(MAX_MESSAGES_PER_S)
        self._ending: asyncio.Task[None] | None = None

    async def serve(self, receive: Receive) -> None:
        """Answer what the browser asks until it is gone."""
        self._hub.attach(self._connection)
        try:
            while (event := await receive())["type"] != "websocket.disconnect":
                if self._limit.allows(time.monotonic()):
                    self._answer(event.get("text"))
                else:
                    self.end(TOO_MANY_MESSAGES)
        finally:
            await self._hub.detach(self._connection)
            if self._ending is not None:
                self._ending.cancel()

    def renew(self, user: Any) -> None:
        """Go on with the rights that the user has now."""
        self.user = user
        for topic in tuple(self._connection.topics):
            if not self._allows(topic):
                self._hub.leave(self._connection, topic)

    def end(self, code: int) -> None:
        """Close the socket with `code`, once."""
        if self._ending is None:
            log.info("a stream socket is closed", code=code, user=self.user.pk)
            self._ending = asyncio.create_task(self._end(code))

    def _answer(self, text: str | None) -> None:
        try:
            op, topics = parse_request(text)
        except BadRequest as error:
            self._refuse(str(error))
            return
        if op == "ping":
            self._connection.reply(f'{{"type":"pong","time_ms":{time.time_ns() // 1_000_000}}}')
        for topic in topics:
            if op == "subscribe":
                self._subscribe(topic)
            else:
                self._hub.leave(self._connection, topic)

    def _subscribe(self, topic: str) -> None:
        subscribed = self._connection.topics
        if topic not in subscribed and len(subscribed) >= MAX_TOPICS:
            self._refuse(f"a socket may follow {MAX_TOPICS} topics at most", topic)
            return
        if self._allows(topic):
            self._hub.join(self._connection, topic)

    def _allows(self, topic: str) -> bool:
        """Return whether the user may follow `topic`; a refusal is told."""
        try:
            self._topics.authorise(self.user, topic)
        except (UnknownTopic, ForbiddenTopic) as error:
            self._refuse(str(error), topic)
            return False
        return True

    def _refuse(self, reason: str, topic: str | None = None) -> None:
        answer = {"type": "error", "error": reason, **({"topic": topic} if topic else {})}
        self._connection.reply(orjson.dumps(answer).decode())

    async def _end(self, code: int) -> None:
        """Say why, should the browser read again soon; then cut the line, for it may never."""
        await self._hub.detach(self._connection)
        asyncio.get_running_loop().call_later(LAST_WORD_S, self._wire.abort)
        with contextlib.suppress(OSError, RuntimeError):
            await self._wire.send(close_event(code))


class BadRequest(Exception):
    """The browser's message is not one of the protocol."""


def parse_request(text: str | None) -> tuple[str, list[str]]:
    """Return the operation and the topics, each once, of a browser's message. Raises BadRequest."""
    if text is None or len(text) > MAX_MESSAGE_CHARS:
        raise BadRequest(f"expected a text of at most {MAX_MESSAGE_CHARS} characters")
    try:
        request = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadRequest("expected a JSON object") from None
    op = request.get("op") if isinstance(request, dict) else None
    if op == "ping":
        return op, []
    if op not in ("subscribe", "unsubscribe"):
        raise BadRequest('expected {"op": "subscribe" | "unsubscribe" | "ping", …}')
    topics = request.get("topics")
    if not isinstance(topics, list) or not all(isinstance(topic, str) for topic in topics):
        raise BadRequest('expected "topics" to be a list of names')
    # Each once: every repetition would be answered with a snapshot of its own.
    return op, list(dict.fromkeys(topics))


class RateLimit:
    """Allows so many events in each second, counted from its first event."""

    def __init__(self, per_s: int) -> None:
        self._per_s = per_s
        self._second_ends = 0.0
        self._count = 0

    def allows(self, now: float) -> bool:
        """Count one event at monotonic time `now`; return whether it is within the limit."""
        if now >= self._second_ends:
            self._second_ends = now + 1.0
            self._count = 0
        self._count += 1
        return self._count <= self._per_s
