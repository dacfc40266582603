"""Keeps one kind of socket open: again after every loss, overlapping when a loss is announced."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import structlog

from marketdata.collector.backoff import Backoff
from marketdata.collector.complaints import Complaints
from marketdata.collector.errors import ExchangeUnavailable
from marketdata.collector.settings import CollectorSettings

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Socket(Protocol):
    """One connection, used once.

    `run` reads until it ends by ExchangeUnavailable; `ready` is set when everything is
    subscribed, `leaving` when a new connection should replace this one.
    """

    ready: asyncio.Event
    leaving: asyncio.Event

    async def run(self) -> None: ...


class Feed:
    """One feed of a collector.

    `live` runs each time the feed is subscribed after it was not, again when it fails, and is
    cancelled when the feed is lost; `lost` is called when the last of its sockets ended or fell
    silent.
    """

    def __init__(
        self,
        name: str,
        open_socket: Callable[[], Socket],
        live: Callable[[], Coroutine[Any, Any, None]],
        lost: Callable[[], None],
        settings: CollectorSettings,
        complaints: Complaints,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.is_live = False
        self.connections = 0
        self._complaints = complaints
        self._open_socket, self._live, self._lost = open_socket, live, lost
        self._settings, self._monotonic = settings, monotonic
        self._backoff = Backoff(settings.backoff_base_s, settings.backoff_cap_s)
        self._socket: Socket | None = None
        self._readers: set[asyncio.Task[None]] = set()
        self._living: asyncio.Task[None] | None = None

    def replace(self, reason: str) -> None:
        """Open a new socket because the present one is not to be trusted any more."""
        self._note(reason)
        self._set_lost()
        if self._socket is not None:
            self._socket.leaving.set()

    async def run(self) -> None:
        """Hold the feed until cancelled."""
        try:
            while True:
                await self._hold_one()
        finally:
            await self._end(*self._readers)
            self._set_lost()

    async def _hold_one(self) -> None:
        """Open one socket and return when the next one is wanted."""
        socket, opened_s = self._open_socket(), self._monotonic()
        reader = asyncio.create_task(socket.run(), name=f"socket {self.name}")
        self.connections += 1
        self._readers.add(reader)
        reader.add_done_callback(self._reader_ended)
        if await _happens(socket.ready, reader):
            self._socket = socket
            await self._end(*(self._readers - {reader}))
            self._set_live()
            if await _happens(socket.leaving, reader):
                # This one is read on until the next one is subscribed.
                return
            if self._monotonic() - opened_s >= self._settings.backoff_reset_s:
                self._backoff.reset()
        await asyncio.sleep(self._backoff.next_delay_s())

    def _set_live(self) -> None:
        if not self.is_live:
            self.is_live = True
            log.info("feed live", feed=self.name, connections=self.connections)
            self._living = asyncio.create_task(self._go_live(), name=f"live {self.name}")

    async def _go_live(self) -> None:
        """Run `live` until it succeeds: without it, nothing shows what was missed before."""
        backoff = Backoff(self._settings.backoff_base_s, self._settings.backoff_cap_s)
        while True:
            try:
                await self._live()
            except Exception as error:
                self._complaints.last_error = f"{self.name}: {type(error).__name__}: {error}"
                log.exception("going live failed", feed=self.name)
            else:
                return
            await asyncio.sleep(backoff.next_delay_s())

    def _set_lost(self) -> None:
        if self.is_live:
            self.is_live = False
            if self._living is not None:
                self._living.cancel()
            self._lost()

    def _reader_ended(self, reader: asyncio.Task[None]) -> None:
        self._readers.discard(reader)
        if reader.cancelled():
            return
        error = reader.exception()
        if isinstance(error, ExchangeUnavailable):
            self._note(str(error))
        elif error is not None:
            self._note(f"{type(error).__name__}: {error}")
            log.error("socket failed", feed=self.name, exc_info=error)
        if not self._readers:
            self._set_lost()

    def _note(self, reason: str) -> None:
        self._complaints.last_error = f"{self.name}: {reason}"
        log.warning("feed lost", feed=self.name, reason=reason)

    async def _end(self, *readers: asyncio.Task[None]) -> None:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


async def _happens(event: asyncio.Event, before: Awaitable[object]) -> bool:
    """Return whether `event` was set before the task `before` ended."""
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait(
            {waiting, asyncio.ensure_future(before)}, return_when=asyncio.FIRST_COMPLETED
        )
        return waiting.done()
    finally:
        waiting.cancel()
