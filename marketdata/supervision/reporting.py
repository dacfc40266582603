"""Turns a collector's health into what its row says."""

from __future__ import annotations

from typing import Any

from marketdata.models import Collector
from marketdata.supervision.lease import Report


class Reporter:
    """Remembers which error was written, so that its time stays the time it happened."""

    def __init__(self) -> None:
        self._error = ""
        self._written = ""

    def report(self, health: dict[str, Any]) -> Report:
        """Return the row's next values."""
        self._error = str(health.get("last_error") or "") or self._error
        return Report(
            state=_state(health),
            counters=health,
            exchange_ms=health.get("exchange_ms"),
            error=self.unwritten(),
        )

    def failed(self, error: BaseException) -> None:
        """Take note of what ended the collector."""
        self._error = f"{type(error).__name__}: {error}"

    def unwritten(self) -> str:
        """Return the error the row does not show yet, once; empty when there is none."""
        if self._error == self._written:
            return ""
        self._written = self._error
        return self._error


def _state(health: dict[str, Any]) -> Collector.State:
    if health.get("state") == "live" or not health:
        return Collector.State.LIVE
    return Collector.State.DEGRADED
