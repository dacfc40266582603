"""Bad input: counted always, logged at most once a minute with a sample."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog

SAMPLE_CHARACTERS = 300

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Complaints:
    """Counts what was skipped, by reason, and says so now and then.

    Reasons must come from a small fixed set: each has a counter for ever. `last_error` is the
    newest trouble of any kind, for whoever watches the collector.
    """

    def __init__(
        self, every_s: float = 60.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.last_error = ""
        self._every_s, self._monotonic = every_s, monotonic
        self._counts: dict[str, int] = {}
        self._logged_at: dict[str, float] = {}
        self._since: dict[str, int] = {}

    @property
    def total(self) -> int:
        return sum(self._counts.values())

    def counts(self) -> dict[str, int]:
        """Return how often each reason was met."""
        return dict(self._counts)

    def add(self, reason: str, sample: object, times: int = 1, **context: Any) -> None:
        """Count `times` skipped inputs; log them if this reason was not logged lately."""
        self._counts[reason] = self._counts.get(reason, 0) + times
        self._since[reason] = self._since.get(reason, 0) + times
        now = self._monotonic()
        last = self._logged_at.get(reason)
        if last is not None and now - last < self._every_s:
            return
        self._logged_at[reason] = now
        log.warning(
            "input skipped",
            reason=reason,
            count=self._since.pop(reason),
            sample=_sample(sample),
            **context,
        )


def _sample(value: object) -> str:
    if isinstance(value, bytes):
        value = value[: SAMPLE_CHARACTERS * 4].decode(errors="replace")
    return str(value)[:SAMPLE_CHARACTERS]
