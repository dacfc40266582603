"""The collector's recorder: a short queue and a thread of its own, so that trades never wait."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection

from marketdata.collector.errors import LostLease
from marketdata.domain.raw import RawMessage
from marketdata.storage.locks import check_fence
from marketdata.storage.policies import Policy, policies
from marketdata.storage.raw import RawWriter
from tcpdashboard.common.alerts import end_alert, raise_alert

QUEUE_LIMIT: Final = 10_000
BATCH: Final = 2_000
EVERY_S: Final = 1.0
CLOSE_S: Final = 2.0
POLICY_S: Final = 60.0
CALM_S: Final = 60.0
LOST_MESSAGES: Final = "raw messages lost"
MAX_PAUSE_S: Final = 15.0

log = structlog.get_logger(__name__)


class DatabaseRecorder:
    """Stores messages in the background; implements `ports.Recorder`.

    What does not fit into the queue is dropped, counted and alerted; messages older than their
    channel's retention are counted as expired. Without a collector's id there is no lease to check.
    """

    def __init__(
        self,
        exchange: str,
        *,
        collector_id: int | None = None,
        fencing_token: int | None = None,
        queue_limit: int = QUEUE_LIMIT,
    ) -> None:
        self.kept = self.dropped = self.expired = 0
        self._exchange = exchange
        self._writer = RawWriter(
            exchange, lambda cursor: check_fence(cursor, collector_id, fencing_token)
        )
        self._waiting: deque[RawMessage] = deque()
        self._queue_limit = queue_limit
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._policies: dict[str, Policy] = {}
        self._policies_at = self._dropped_at = -POLICY_S
        self._newest_ms = self._told = 0
        self._is_alerted = self._is_lost = False

    def record(self, message: RawMessage) -> None:
        """Queue one message; microseconds."""
        if self._is_lost or len(self._waiting) >= self._queue_limit:
            self.dropped += 1
            return
        self._waiting.append(message)
        if self._thread is None:
            name = f"recorder-{self._exchange}"
            self._thread = threading.Thread(target=self._run, name=name, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Store what waits, for two seconds at most, and end the thread."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def health(self) -> dict[str, int]:
        """Return counters: kept, dropped, expired, refused by the database, waiting."""
        return {
            "kept": self.kept,
            "dropped": self.dropped,
            "expired": self.expired,
            "refused": self._writer.refused,
            "waiting": len(self._waiting),
        }

    def _run(self) -> None:
        pause_s = EVERY_S
        try:
            while not self._is_lost:
                is_last = self._ending.wait(pause_s)
                pause_s = EVERY_S if self._flush() else min(pause_s * 2, MAX_PAUSE_S)
                if is_last:
                    return
        finally:
            connection.close()

    def _flush(self) -> bool:
        """Store everything that waits; False when the database did not take it."""
        try:
            while self._waiting:
                self._store([self._waiting[i] for i in range(min(BATCH, len(self._waiting)))])
            self._alert()
        except LostLease:
            self._is_lost = True
            self._waiting.clear()
        except (Error, ImproperlyConfigured) as error:
            log.warning("raw messages wait", exchange=self._exchange, error=str(error).strip())
            connection.close()
            return False
        except Exception:
            # Nobody would store anything any more; the same messages would fail for ever.
            log.exception("raw messages given up", exchange=self._exchange)
            self._give_up()
        return True

    def _give_up(self) -> None:
        """Drop the messages that nothing can be done with; the next look tells of them."""
        for _ in range(min(BATCH, len(self._waiting))):
            self._waiting.popleft()
            self.dropped += 1

    def _store(self, batch: list[RawMessage]) -> None:
        wanted, refused = self._wanted(batch), self._writer.refused
        if wanted:
            self._writer.write(wanted)
        for _ in batch:
            self._waiting.popleft()
        self.expired += len(batch) - len(wanted)
        self.kept += len(wanted) - (self._writer.refused - refused)

    def _wanted(self, batch: list[RawMessage]) -> list[RawMessage]:
        """Return what retention would not take away at once, such as a long past maintenance."""
        if time.monotonic() - self._policies_at >= POLICY_S:
            self._policies, self._policies_at = policies(), time.monotonic()
        self._newest_ms = max(self._newest_ms, *(message.exchange_ms for message in batch))
        return [
            message
            for message in batch
            if message.exchange_ms
            >= self._policies[message.channel.value].first_kept_ms(self._newest_ms)
        ]

    def _alert(self) -> None:
        """Tell of what was dropped since the last time, and of its end after a calm minute."""
        now_s, lost = time.monotonic(), self.dropped + self._writer.refused
        if lost > self._told:
            message = (
                f"{lost - self._told:,} messages of {self._exchange} were not kept: the database "
                "was too slow for them or refused them. Trades are not affected."
            )
            raise_alert(LOST_MESSAGES, self._exchange, message, details=self.health())
            self._told, self._dropped_at, self._is_alerted = lost, now_s, True
        elif self._is_alerted and now_s - self._dropped_at >= CALM_S:
            end_alert(LOST_MESSAGES, self._exchange)
            self._is_alerted = False
