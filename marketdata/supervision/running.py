"""Runs one collector under its lease, from taking it to giving it back."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import Error as DatabaseError

from marketdata.collector.base import BaseCollector
from marketdata.collector.errors import LostLease
from marketdata.models import Collector, RestartReason
from marketdata.publishing import LivePublisher
from marketdata.supervision.building import build_collector
from marketdata.supervision.lease import Lease, Orders, Report, acquire, release, renew
from marketdata.supervision.reporting import Reporter
from marketdata.supervision.restarts import note_lost
from tcpdashboard.common.dbthread import DatabaseThread
from tcpdashboard.common.shutdown import SHUTDOWN

STOP_POLL_S: Final = 0.1
OBSERVE_S: Final = 1.0
DRAIN_S: Final = 6.0
CANCEL_S: Final = 2.0

log = structlog.get_logger(__name__)


class Outcome(StrEnum):
    """Why a run ended."""

    HELD = "held by another worker, or not wanted"
    SHUTDOWN = "the process ends"
    STOPPED = "stopped on request"
    RESTART = "restarts on request"
    STALLED = "received nothing although its sockets were open"
    LOST = "lost its lease"
    FAILED = "failed"


_REASONS: Final = {
    Outcome.SHUTDOWN: RestartReason.SHUTDOWN,
    Outcome.STALLED: RestartReason.STALLED,
    Outcome.FAILED: RestartReason.CRASH,
}

Observer = Callable[[dict[str, Any]], bool]
"""Called about once a second with the collector's health; True ends the run."""


def run_collector(
    collector_id: int,
    stop: threading.Event = SHUTDOWN,
    *,
    symbols: tuple[str, ...] | None = None,
    observer: Observer | None = None,
) -> Outcome:
    """Take the collector's lease, collect until there is a reason to end, and give it back.

    Collects the enabled instruments that are assigned to the collector, following every change;
    or `symbols`, in the foreground, whatever the row wants. Blocks for as long as it collects.
    """
    if stop.is_set():
        return Outcome.SHUTDOWN
    database = DatabaseThread(f"supervision-{collector_id}")
    try:
        lease = database.call(acquire, collector_id, is_swept=symbols is None)
        if lease is None:
            return Outcome.HELD
        return asyncio.run(_Run(lease, database, stop, symbols, observer).until_ended())
    finally:
        database.close()


class _Run:
    """One holding of a lease."""

    def __init__(
        self,
        lease: Lease,
        database: DatabaseThread,
        stop: threading.Event,
        symbols: tuple[str, ...] | None,
        observer: Observer | None,
    ) -> None:
        self._lease, self._database, self._stop = lease, database, stop
        self._symbols, self._observer = symbols, observer
        self._reporter = Reporter()
        self._following: asyncio.Task[None] | None = None
        self._log = log.bind(collector_id=lease.collector_id, fencing_token=lease.token)

    async def until_ended(self) -> Outcome:
        self._log.info("collector_starts")
        try:
            outcome = await self._collect()
        except LostLease:
            outcome = Outcome.LOST
        except Exception as error:
            outcome = Outcome.FAILED
            self._reporter.failed(error)
            self._log.exception("collector_failed")
        await self._give_back(outcome)
        self._log.info("collector_ended", reason=outcome.value)
        return outcome

    async def _collect(self) -> Outcome:
        """Run one collector object until something ends it; raises what it raises."""
        collector, publisher = await self._database.run(build_collector, self._lease, self._symbols)
        ending = asyncio.Event()
        running = asyncio.create_task(collector.run(ending), name="collector")
        reasons = [
            asyncio.create_task(reason, name=name)
            for name, reason in (
                ("stop", self._wait_for_stop()),
                ("renewal", self._renew_until_told(collector, publisher)),
                ("observer", self._observe(collector)),
                ("progress", self._until_stalled(collector)),
            )
        ]
        try:
            done, _ = await asyncio.wait({running, *reasons}, return_when=asyncio.FIRST_COMPLETED)
            ended = [reason.result() for reason in reasons if reason in done]
        finally:
            for reason in reasons:
                reason.cancel()
            if self._following is not None:
                self._following.cancel()
            ending.set()
            await self._drain(running)
            await asyncio.to_thread(publisher.close)
        if running.done() and not running.cancelled():
            running.result()
        if not ended:
            raise RuntimeError("the collector ended although nothing had told it to")
        return ended[0]

    async def _wait_for_stop(self) -> Outcome:
        # A threading.Event cannot wake a loop, so it is looked at.
        while True:
            if self._stop.is_set():
                return Outcome.SHUTDOWN
            await asyncio.sleep(STOP_POLL_S)

    async def _renew_until_told(
        self, collector: BaseCollector, publisher: LivePublisher
    ) -> Outcome:
        while True:
            try:
                report = self._reporter.report(collector.health(), collector.channel_health)
                orders = await self._database.run(renew, self._lease, report)
            except DatabaseError as error:
                # The database is away: collection waits by itself, and the fencing token
                # guards its writes should another holder come back first.
                self._log.warning("lease_not_renewed", error=str(error))
            else:
                if outcome := self._decide(orders):
                    return outcome
                if orders is not None and self._symbols is None:
                    self._follow(orders, collector, publisher)
            await asyncio.sleep(settings.COLLECTOR_RENEW_SECONDS)

    def _decide(self, orders: Orders | None) -> Outcome | None:
        if orders is None:
            return Outcome.LOST
        if self._symbols is not None:
            return None
        if not orders.is_wanted or not orders.instruments:
            return Outcome.STOPPED
        return Outcome.RESTART if orders.is_restart else None

    def _follow(self, orders: Orders, collector: BaseCollector, publisher: LivePublisher) -> None:
        """Let the collector take up new instruments and leave others, one change after another.

        Whole specifications are compared: a collector calculates with those it was given.
        """
        if self._following is not None:
            if not self._following.done():
                return
            self._following.result()
        if orders.instruments != frozenset(collector.instruments):
            publisher.swaps |= orders.swaps
            wanted = sorted(orders.instruments, key=lambda spec: spec.symbol)
            self._log.info("instruments_changed", symbols=[spec.symbol for spec in wanted])
            self._following = asyncio.create_task(collector.follow(wanted), name="follow")

    async def _until_stalled(self, collector: BaseCollector) -> Outcome:
        """Return when the exchange's clock stands still although every connection is open.

        Answers to pings are no progress. While a connection is lost it is being opened again.
        """
        exchange_ms, since_s = 0, time.monotonic()
        while True:
            await asyncio.sleep(OBSERVE_S)
            health = collector.health()
            if health["exchange_ms"] != exchange_ms or not health["is_live"]:
                exchange_ms, since_s = health["exchange_ms"], time.monotonic()
            elif time.monotonic() - since_s >= settings.COLLECTOR_STALL_SECONDS:
                return Outcome.STALLED

    async def _observe(self, collector: BaseCollector) -> Outcome:
        while True:
            if self._observer is not None and self._observer(collector.health()):
                return Outcome.STOPPED
            await asyncio.sleep(OBSERVE_S)

    async def _drain(self, running: asyncio.Task[None]) -> None:
        _, pending = await asyncio.wait({running}, timeout=DRAIN_S)
        if pending:
            self._log.error("collector_did_not_drain", waited_s=DRAIN_S)
            running.cancel()
            await asyncio.wait({running}, timeout=CANCEL_S)

    async def _give_back(self, outcome: Outcome) -> None:
        if outcome is Outcome.LOST:
            await self._note_lost()
            return
        is_failed = outcome in (Outcome.FAILED, Outcome.STALLED)
        state = Collector.State.FAILED if is_failed else Collector.State.STOPPED
        report = Report(state, error=self._reporter.unwritten())
        try:
            await self._database.run(
                release,
                self._lease,
                report,
                at_once=not is_failed,
                reason=_REASONS.get(outcome, RestartReason.ASKED),
            )
        except DatabaseError as error:
            self._log.warning("lease_not_given_back", error=str(error))

    async def _note_lost(self) -> None:
        try:
            await self._database.run(note_lost, self._lease)
        except DatabaseError as error:
            self._log.warning("loss_not_noted", error=str(error))
