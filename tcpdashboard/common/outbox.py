"""What waits for a reader: the latest message of each topic, and every final one."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from tcpdashboard.common.realtime import Message

MAX_FINAL: Final = 256


class OutboxFull(Exception):
    """More final messages wait than may: the reader does not keep up."""


class Kind(StrEnum):
    """How a message stands to the one before it on its topic."""

    # It stands alone: the first one, or messages before it are missing.
    SNAPSHOT = "snapshot"
    # It follows the one before without a hole.
    UPDATE = "update"
    # Values before it were left out on purpose; no final one was.
    MERGED = "merged"


@dataclass(frozen=True)
class Frame:
    """A message as it goes to browsers, encoded once for all of them.

    `event` is the ASGI event that sends it.
    """

    message: Message
    kind: Kind
    event: dict[str, Any] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "event", text_event(self.message.text(self.kind)))

    def in_place_of(self, earlier: Frame) -> Frame:
        """Return this message for a reader who will not get `earlier`."""
        if Kind.SNAPSHOT in (self.kind, earlier.kind):
            return self if self.kind is Kind.SNAPSHOT else Frame(self.message, Kind.SNAPSHOT)
        return Frame(self.message, Kind.MERGED)


class Outbox:
    """Waiting messages in an order that is right within each topic."""

    def __init__(self, max_final: int = MAX_FINAL) -> None:
        self._max_final = max_final
        self._final: deque[Frame] = deque()
        self._latest: dict[str, Frame] = {}

    def put(self, frame: Frame) -> None:
        """Add `frame`; it takes the place of a waiting one of its topic that is not final.

        Raises OutboxFull when too many final ones wait.
        """
        topic = frame.message.topic
        earlier = self._latest.get(topic)
        if earlier is not None:
            frame = frame.in_place_of(earlier)
        if not frame.message.is_final:
            # Keeps its place in line, so that a busy topic is not put off for ever.
            self._latest[topic] = frame
            return
        if len(self._final) >= self._max_final:
            raise OutboxFull
        self._latest.pop(topic, None)
        self._final.append(frame)

    def take(self) -> Frame | None:
        """Remove and return what is to be sent next, None when nothing waits.

        Final messages go first: a waiting value of the same topic is always newer.
        """
        if self._final:
            return self._final.popleft()
        if self._latest:
            return self._latest.pop(next(iter(self._latest)))
        return None

    def discard(self, topic: str) -> None:
        """Forget what waits of `topic`."""
        self._latest.pop(topic, None)
        self._final = deque(frame for frame in self._final if frame.message.topic != topic)

    def __bool__(self) -> bool:
        return bool(self._final or self._latest)


def text_event(text: str) -> dict[str, Any]:
    """Return the ASGI event that sends `text`; servers do not change it, so it may be shared."""
    return {"type": "websocket.send", "text": text}
