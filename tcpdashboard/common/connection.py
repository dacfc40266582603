"""One browser's socket as the hub sees it: it sends at once if it can, or keeps the latest."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Final

import structlog

from tcpdashboard.common.closing import TOO_SLOW
from tcpdashboard.common.outbox import Frame, Outbox, OutboxFull, text_event

SEND_TIMEOUT_S: Final = 5.0
MAX_REPLIES: Final = 32

log = structlog.get_logger(__name__)

Send = Callable[[dict[str, Any]], Coroutine[Any, Any, None]]


class Connection:
    """A way to push frames to one socket from the event loop, without waiting for the socket.

    A send that the server takes at once costs no task. When the server holds it back, because the
    browser does not read, later frames wait in a bounded outbox; a send held back for
    `send_timeout_s`, or a full outbox, calls `on_end` with 4408, once, and nothing more is sent.
    """

    def __init__(
        self,
        send: Send,
        on_end: Callable[[int], None],
        send_timeout_s: float = SEND_TIMEOUT_S,
    ) -> None:
        self.topics: set[str] = set()
        self._send = send
        self._on_end = on_end
        self._send_timeout_s = send_timeout_s
        self._outbox = Outbox()
        self._replies: deque[dict[str, Any]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._is_ended = False

    def push(self, frame: Frame) -> None:
        """Send `frame` now or when the socket takes it; a newer one may replace it until then."""
        if self._writer is None:
            self._send_now(frame.event)
            return
        try:
            self._outbox.put(frame)
        except OutboxFull:
            self._end(TOO_SLOW)

    def reply(self, text: str) -> None:
        """Send a text that no other may replace."""
        if self._writer is None:
            self._send_now(text_event(text))
        elif len(self._replies) < MAX_REPLIES:
            self._replies.append(text_event(text))
        else:
            self._end(TOO_SLOW)

    def forget(self, topic: str) -> None:
        """Drop what waits of a topic."""
        self._outbox.discard(topic)

    async def close(self) -> None:
        """Stop sending; the socket itself belongs to the consumer."""
        self._is_ended = True
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])

    def _send_now(self, event: dict[str, Any]) -> None:
        """Take the first step of the send by hand: mostly it is the last one."""
        if self._is_ended:
            return
        sending = self._send(event)
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return
        except (OSError, RuntimeError):
            # The socket has closed; the consumer hears of it by itself.
            self._is_ended = True
            return
        except Exception:
            # One socket's failure is none of the others'.
            log.exception("a stream socket failed")
            self._is_ended = True
            return
        self._writer = asyncio.create_task(self._write(Rest(sending, waits_for)))

    async def _write(self, started: Awaitable[None]) -> None:
        """Finish a send that was held back, then send what has come in the meantime."""
        try:
            async with asyncio.timeout(self._send_timeout_s):
                await started
            while (event := self._next()) is not None:
                async with asyncio.timeout(self._send_timeout_s):
                    await self._send(event)
        except TimeoutError:
            self._end(TOO_SLOW)
        except (OSError, RuntimeError):
            self._is_ended = True
        finally:
            self._writer = None

    def _next(self) -> dict[str, Any] | None:
        if self._replies:
            return self._replies.popleft()
        frame = self._outbox.take()
        return None if frame is None else frame.event

    def _end(self, code: int) -> None:
        if self._is_ended:
            return
        self._is_ended = True
        if self._writer is not None and self._writer is not asyncio.current_task():
            self._writer.cancel()
        self._on_end(code)


class Rest:
    """The rest of a coroutine whose first step has been taken outside a task."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], waits_for: object) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[object, Any, None]:
        try:
            yield self._waits_for
        except BaseException:
            self._coroutine.close()
            raise
        yield from self._coroutine.__await__()
