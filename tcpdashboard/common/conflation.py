"""Publishing that never blocks: the latest value of each topic wins, a few times a second."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from tcpdashboard.common.realtime import Draft, TopicPublisher

INTERVAL_S: Final = 0.25
RETRY_S: Final = 0.5
MAX_FINAL: Final = 64

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Pending:
    """What waits to be published on one topic."""

    topic: str
    latest: Draft | None = None
    final: deque[Draft] = field(default_factory=deque)
    skipped: int = 0
    next_at: float = 0.0

    def put(self, draft: Draft) -> None:
        """Add `draft`: it replaces a waiting value, but never a final one."""
        self.skipped += draft.skipped
        draft = replace(draft, skipped=0)
        self.latest = None if draft.is_final else draft
        if draft.is_final:
            self.final.append(draft)
            if len(self.final) > MAX_FINAL:
                self.final.popleft()
                self.skipped += 1

    def due(self, now: float) -> bool:
        """Return whether something may be published: final values at once, others in turn."""
        return bool(self.final) or (self.latest is not None and now >= self.next_at)

    def take(self, now: float) -> list[Draft]:
        """Remove and return what may be published at `now`, in order."""
        drafts = list(self.final)
        self.final.clear()
        if self.latest is not None and now >= self.next_at:
            drafts.append(self.latest)
            self.latest = None
        drafts[0] = replace(drafts[0], skipped=self.skipped)
        self.skipped = 0
        self.next_at = now + INTERVAL_S
        return drafts

    def give_back(self, drafts: list[Draft]) -> None:
        """Put back what could not be published, before what has been put since."""
        since, latest, skipped = list(self.final), self.latest, self.skipped
        self.final.clear()
        self.latest, self.skipped = None, 0
        for draft in [*drafts, *since, *([latest] if latest else [])]:
            self.put(draft)
        self.skipped += skipped


class ConflatingPublisher:
    """Hands messages to a thread of its own, which publishes what is due in one round trip.

    `offer` costs microseconds and never fails. While Redis is away the latest value of every topic
    and its last 64 final values wait; readers learn of the ones given up by a hole in `seq`.
    """

    def __init__(self, publisher: TopicPublisher, name: str = "publisher") -> None:
        self._publisher = publisher
        self._topics: dict[str, Pending] = {}
        self._changed = threading.Condition()
        self._is_stopping = False
        self._is_failing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(
        self, topic: str, payload: Mapping[str, Any], final: bool = False, skipped: int = 0
    ) -> None:
        """Publish `payload` when its topic's turn comes, or a later one in its place.

        `payload` must not be changed afterwards. `skipped` values of the topic were left out.
        """
        with self._changed:
            pending = self._topics.get(topic)
            if pending is None:
                pending = self._topics[topic] = Pending(topic)
            # A topic with a value waiting has its turn planned already.
            wakes = final or pending.latest is None
            pending.put(Draft(topic, payload, final, skipped))
            if wakes:
                self._changed.notify()

    def close(self, timeout_s: float = 3.0) -> None:
        """Publish what waits, once, and end the thread; gives up after `timeout_s`."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        self._thread.join(timeout_s)
        self._publisher.close()

    def _run(self) -> None:
        while drafts := self._wait_for_due():
            self._publish(drafts)

    def _wait_for_due(self) -> dict[str, list[Draft]]:
        """Return what is due, waiting for it; nothing when stopped and empty."""
        with self._changed:
            while True:
                now = float("inf") if self._is_stopping else time.monotonic()
                due = {name: p.take(now) for name, p in self._topics.items() if p.due(now)}
                if due or self._is_stopping:
                    return due
                self._changed.wait(self._sleep_s(now))

    def _sleep_s(self, now: float) -> float | None:
        waiting = [p.next_at for p in self._topics.values() if p.latest is not None]
        return max(min(waiting) - now, 0.0) if waiting else None

    def _publish(self, due: dict[str, list[Draft]]) -> None:
        try:
            self._publisher.publish_many(draft for drafts in due.values() for draft in drafts)
        except RedisError as error:
            self._on_failure(due, error)
        except TypeError:
            log.exception("messages that are no JSON were dropped", topics=list(due))
        else:
            if self._is_failing:
                log.info("publishing works again")
            self._is_failing = False

    def _on_failure(self, due: dict[str, list[Draft]], error: RedisError) -> None:
        if not self._is_failing:
            log.warning("publishing failed, the latest values wait", error=str(error))
        self._is_failing = True
        with self._changed:
            if self._is_stopping:
                self._topics.clear()
                return
            for name, drafts in due.items():
                self._topics[name].give_back(drafts)
            self._changed.wait_for(lambda: self._is_stopping, RETRY_S)
