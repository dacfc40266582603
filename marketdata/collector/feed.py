"""Keeps one socket open: again after every loss, overlapping when a loss is announced."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any, Final

import structlog

from marketdata.collector.backoff import Backoff
from marketdata.collector.complaints import Complaints
from marketdata.collector.errors import ExchangeUnavailable
from marketdata.collector.settings import CollectorSettings
from marketdata.collector.socket import Channel, Socket

Channels = frozenset[Channel]

JOIN_S: Final = 0.05
"""Channels that are subscribed within so short a time go live together."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Feed:
    """One socket's worth of channels, whichever connection brings them.

    `live` runs with the channels that are subscribed after they were not, again when it fails,
    and is cancelled when the feed is lost; `lost` is called with those that may be missing
    messages from now on.
    """

    def __init__(
        self,
        name: str,
        channels: Collection[Channel],
        open_socket: Callable[[Channels], Socket],
        live: Callable[[Channels], Coroutine[Any, Any, None]],
        lost: Callable[[Channels], None],
        settings: CollectorSettings,
        complaints: Complaints,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.channels = set(channels)
        self.is_live = False
        self.connections = 0
        self._complaints = complaints
        self._open_socket, self._live, self._lost = open_socket, live, lost
        self._settings, self._monotonic = settings, monotonic
        self._backoff = Backoff(settings.backoff_base_s, settings.backoff_cap_s)
        self._received_before = 0
        # The connection that is believed, and all that are open, by the tasks that read them.
        self._socket: Socket | None = None
        self._sockets: dict[asyncio.Task[None], Socket] = {}
        self._joining: set[Channel] = set()
        self._living: set[asyncio.Task[None]] = set()

    @property
    def received(self) -> int:
        """Messages of all its connections."""
        return self._received_before + sum(one.received for one in list(self._sockets.values()))

    @property
    def refused(self) -> dict[Channel, str]:
        """The channels that the exchange does not give, with its code."""
        return {} if self._socket is None else dict(self._socket.refused)

    def is_subscribed(self, channel: Channel) -> bool:
        """Whether messages of a channel may be expected."""
        return self.is_live and self._socket is not None and self._socket.is_subscribed(channel)

    def add(self, channels: Collection[Channel]) -> None:
        """Bring `channels` too, without touching the others."""
        self.channels |= set(channels)
        for socket in self._sockets.values():
            socket.add(channels)

    def remove(self, channels: Collection[Channel]) -> None:
        """Bring `channels` no more."""
        self.channels -= set(channels)
        self._joining -= set(channels)
        for socket in self._sockets.values():
            socket.remove(channels)

    def renew(self, channels: Collection[Channel], reason: str) -> None:
        """Subscribe anew what fell silent; the others are not touched."""
        self._note(reason)
        self._lost(frozenset(channels))
        if self._socket is not None:
            self._socket.renew(channels)

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
            await self._end(*self._sockets)
            self._set_lost()

    async def _hold_one(self) -> None:
        """Open one socket and return when the next one is wanted."""
        socket, opened_s = self._open_socket(frozenset(self.channels)), self._monotonic()
        socket.joined = self._joined
        if self.is_live:
            socket.hold()
        reader = asyncio.create_task(socket.run(), name=f"socket {self.name}")
        self.connections += 1
        self._sockets[reader] = socket
        reader.add_done_callback(self._reader_ended)
        if await _happens(socket.ready, reader) and await self._take_over(reader, socket):
            if await _happens(socket.leaving, reader):
                # This one is read on until the next one is subscribed.
                return
            if self._monotonic() - opened_s >= self._settings.backoff_reset_s:
                self._backoff.reset()
        await asyncio.sleep(self._backoff.next_delay_s())

    async def _take_over(self, reader: asyncio.Task[None], socket: Socket) -> bool:
        """Believe `socket` from now on; an older one delivers what it has before it ends.

        False when the new one ended meanwhile: then the older one stays.
        """
        older = self._sockets.keys() - {reader}
        if self.is_live and older:
            await asyncio.wait(
                {reader, *older},
                timeout=self._settings.overlap_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
        if reader.done():
            return False
        self._socket = socket
        await self._end(*older)
        socket.release()
        self._set_live()
        return True

    def _set_live(self) -> None:
        if not self.is_live:
            self.is_live = True
            log.info("feed live", feed=self.name, connections=self.connections)
            self._start_living(frozenset(self.channels))

    def _joined(self, channel: Channel) -> None:
        """Let a channel go live that was subscribed while others were live already."""
        if not self.is_live or channel not in self.channels:
            return
        if not self._joining:
            asyncio.get_running_loop().call_later(JOIN_S, self._join)
        self._joining.add(channel)

    def _join(self) -> None:
        channels, self._joining = frozenset(self._joining), set()
        if self.is_live and channels:
            self._start_living(channels)

    def _start_living(self, channels: Channels) -> None:
        living = asyncio.create_task(self._go_live(channels), name=f"live {self.name}")
        self._living.add(living)
        living.add_done_callback(self._living.discard)

    async def _go_live(self, channels: Channels) -> None:
        """Run `live` until it succeeds: without it, nothing shows what was missed before."""
        backoff = Backoff(self._settings.backoff_base_s, self._settings.backoff_cap_s)
        while True:
            try:
                await self._live(channels)
            except Exception as error:
                self._complaints.last_error = f"{self.name}: {type(error).__name__}: {error}"
                log.exception("going live failed", feed=self.name)
            else:
                return
            await asyncio.sleep(backoff.next_delay_s())

    def _set_lost(self) -> None:
        if self.is_live:
            self.is_live = False
            for living in self._living:
                living.cancel()
            self._lost(frozenset(self.channels))
        # Nothing delivers the same any more.
        for socket in self._sockets.values():
            socket.release()

    def _reader_ended(self, reader: asyncio.Task[None]) -> None:
        self._received_before += self._sockets.pop(reader).received
        if reader.cancelled():
            return
        error = reader.exception()
        if isinstance(error, ExchangeUnavailable):
            self._note(str(error))
        elif error is not None:
            self._note(f"{type(error).__name__}: {error}")
            log.error("socket failed", feed=self.name, exc_info=error)
        # One that is still being subscribed has missed what the ended one would have brought.
        if not any(socket.ready.is_set() for socket in self._sockets.values()):
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
