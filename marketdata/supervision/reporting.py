"""Turns a collector's health into what its row says, and rows into what pages show."""

from __future__ import annotations

from typing import Any

from marketdata.models import Collector, to_ms
from marketdata.supervision.lease import Report


def collector_states() -> list[dict[str, Any]]:
    """Return what pages show of every collector; times are UTC milliseconds."""
    return [
        {
            "name": row.name,
            "exchange": row.exchange,
            "desired": row.desired,
            "state": row.state,
            "heartbeat_ms": None if row.heartbeat_at is None else to_ms(row.heartbeat_at),
            "exchange_ms": None if row.exchange_time is None else to_ms(row.exchange_time),
            "last_error": row.last_error,
        }
        for row in Collector.objects.all()
    ]


class Reporter:
    """Remembers what a row should not forget between two reports of one run."""

    def __init__(self) -> None:
        self._was_live = False
        self._error = ""
        self._written = ""

    def report(self, health: dict[str, Any]) -> Report:
        """Return the row's next values."""
        self._error = str(health.get("last_error") or "") or self._error
        return Report(
            state=self._state(health.get("connected") or {}),
            counters=health,
            exchange_ms=health.get("exchange_ms") or None,
            error=self.unwritten(),
        )

    def failed(self, error: BaseException) -> None:
        """Take note of what ended the collector."""
        self._error = f"{type(error).__name__}: {error}"

    def unwritten(self) -> str:
        """Return the error the row does not show yet, once, so that its time stays the true one.

        Empty when there is none.
        """
        if self._error == self._written:
            return ""
        self._written = self._error
        return self._error

    def _state(self, connected: dict[str, bool]) -> Collector.State:
        if connected and all(connected.values()):
            self._was_live = True
            return Collector.State.LIVE
        return Collector.State.DEGRADED if self._was_live else Collector.State.STARTING
