"""Turns a collector's health into what its row says, and rows into what pages show."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.conf import settings

from marketdata.collector.channels import ChannelState, worst
from marketdata.models import Collector, to_ms
from marketdata.supervision.lease import Report
from marketdata.supervision.restarts import recent_restarts


def collector_states() -> list[dict[str, Any]]:
    """Return what pages show of every collector; times are UTC milliseconds."""
    restarts = recent_restarts()
    return [
        {
            "name": row.name,
            "exchange": row.exchange,
            "desired": row.desired,
            "state": row.state,
            "health": row.health,
            "instruments": len(row.channels),
            "channels": dict(Counter(channel_states(row.channels))),
            "restarts_last_hour": restarts.get(row.pk, 0),
            "heartbeat_ms": None if row.heartbeat_at is None else to_ms(row.heartbeat_at),
            "exchange_ms": None if row.exchange_time is None else to_ms(row.exchange_time),
            "last_error": row.last_error,
        }
        for row in Collector.objects.all()
    ]


def channel_states(channels: dict[str, Any]) -> list[str]:
    """Return the state of every channel of a collector's report."""
    return [
        channel["state"]
        for instrument in channels.values()
        for channel in instrument["channels"].values()
    ]


class Reporter:
    """Remembers what a row should not forget between two reports of one run."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._was_live = False
        self._error = ""
        self._written = ""
        self._state: Collector.State | None = None
        self._reported_s = float("-inf")
        # When the exchange's clock last moved, by this machine's.
        self._exchange_ms = 0
        self._moved_s = monotonic()

    def report(
        self, health: dict[str, Any], channels: Callable[[], dict[str, Any]] = dict
    ) -> Report:
        """Return the row's next values: everything at each heartbeat, and when the state changes.

        `channels` is only asked then: it costs some milliseconds for many instruments.
        """
        now_s = self._monotonic()
        self._error = str(health.get("last_error") or "") or self._error
        was_live, before = self._was_live, self._state
        state = self._state = self._next_state(is_live=bool(health.get("is_live")))
        exchange_ms = health.get("exchange_ms") or 0
        if exchange_ms != self._exchange_ms:
            self._exchange_ms, self._moved_s = exchange_ms, now_s
        is_due = now_s - self._reported_s >= settings.COLLECTOR_HEARTBEAT_SECONDS
        report = Report(
            state=state,
            exchange_ms=exchange_ms or None,
            error=self.unwritten(),
            is_live_now=self._was_live and not was_live,
        )
        if not is_due and state == before:
            return report
        self._reported_s = now_s
        return self._full(report, health, channels())

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

    def _full(self, report: Report, health: dict[str, Any], channels: dict[str, Any]) -> Report:
        silence_s = round(self._monotonic() - self._moved_s, 1)
        return replace(
            report,
            counters=health | {"silence_s": silence_s, "told_ms": time.time_ns() // 1_000_000},
            channels=channels,
            health=overall(channel_states(channels)).value,
        )

    def _next_state(self, *, is_live: bool) -> Collector.State:
        if is_live:
            self._was_live = True
            return Collector.State.LIVE
        return Collector.State.DEGRADED if self._was_live else Collector.State.STARTING


def overall(states: list[str]) -> ChannelState:
    """Return the worst of the channels' states; a quiet market beside a busy one is no flaw."""
    known = {ChannelState(state) for state in states}
    if known != {ChannelState.SILENT}:
        known.discard(ChannelState.SILENT)
    return worst(known)
