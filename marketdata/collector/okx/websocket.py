"""One socket to OKX: dialled, subscribed, pinged, and declared dead when it says nothing."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Final

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from marketdata.collector.errors import ExchangeUnavailable
from marketdata.collector.limits import LocalLimiter
from marketdata.collector.okx.constants import (
    CONNECT,
    MAX_REQUEST_BYTES,
    RATE_WINDOW_S,
    RATES,
    REQUESTS_PER_HOUR,
    SUBJECT_KEYS,
)
from marketdata.collector.okx.messages import Notice
from marketdata.collector.okx.rest import is_loopback
from marketdata.collector.ports import Limiter
from marketdata.collector.settings import CollectorSettings
from marketdata.collector.socket import Channel, Socket, until_first_ends

# Frames that wait in the library before it stops reading the network.
MAX_FRAMES_WAITING: Final = 256
MAX_FRAME_BYTES: Final = 4 * 2**20
SPARE_REQUESTS: Final = 20
ENDS: Final = (ExchangeUnavailable, OSError, TimeoutError, WebSocketException)
"""How a connection may end without anything being wrong here."""

_own_limiter = LocalLimiter({CONNECT: RATES[CONNECT]}, RATE_WINDOW_S)
"""Of the sockets of this process that are given no limiter to share with others."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class OKXSocket(Socket):
    """One connection to OKX.

    `receive` is called with every frame, in order, from `run`; it must not block. `drained` is
    awaited whenever `is_full` says that what was received cannot be taken further for now.
    `limiter` is asked before connecting: OKX counts connections by address.
    """

    def __init__(
        self,
        url: str,
        channels: Collection[Channel],
        receive: Callable[[OKXSocket, bytes], None],
        *,
        is_full: Callable[[], bool],
        drained: Callable[[], Awaitable[object]],
        settings: CollectorSettings,
        tls: ssl.SSLContext | None = None,
        limiter: Limiter = _own_limiter,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(channels, settings)
        self.url = url
        self._requests: list[float] = []
        self._receive, self._is_full, self._drained = receive, is_full, drained
        self._tls, self._limiter, self._monotonic = tls, limiter, monotonic
        self._connection: ClientConnection | None = None

    async def run(self) -> None:
        """Connect, subscribe and read until the connection ends.

        Always ends by ExchangeUnavailable, with the reason, or by being cancelled.
        """
        try:
            self._connection = await self._dial()
            await until_first_ends(
                self._read(self._connection), self.subscribe(), self._watch(self._connection)
            )
        except ENDS as error:
            raise ExchangeUnavailable(_reason(error)) from error
        finally:
            await self._close()

    async def ask(self, wish: str, channels: Collection[Channel]) -> None:
        """Send as few requests as the limit on their size allows."""
        assert self._connection is not None
        for request in requests(wish, channels):
            self._spend_request()
            await self._connection.send(request)

    def notified(self, notice: Notice) -> None:
        """Take the announcement that this connection will be closed."""
        log.info("connection will be closed", url=self.url, code=notice.code)
        self.leaving.set()

    async def _dial(self) -> ClientConnection:
        await self._limiter.acquire(CONNECT)
        return await connect(
            self.url,
            ssl=self._tls if self.url.startswith("wss:") else None,
            compression=None,
            open_timeout=self._settings.connect_timeout_s,
            close_timeout=self._settings.close_timeout_s,
            ping_interval=None,  # OKX wants its own text ping
            max_queue=MAX_FRAMES_WAITING,
            max_size=MAX_FRAME_BYTES,
            proxy=None if is_loopback(self.url) else True,
        )

    async def _read(self, connection: ClientConnection) -> None:
        """Hand on every frame. It runs for every trade: nothing else belongs here."""
        recv, receive, is_full = connection.recv, self._receive, self._is_full
        while True:
            message = await recv(decode=False)
            self.received += 1
            receive(self, message)
            if is_full():
                await self._drained()

    def _spend_request(self) -> None:
        """Count a request; ask for a new connection before this one may send no more."""
        now = self._monotonic()
        self._requests = [at for at in self._requests if now - at < 3600]
        if len(self._requests) >= REQUESTS_PER_HOUR:
            raise ExchangeUnavailable("the hour's subscriptions of this connection are spent")
        self._requests.append(now)
        if self.ready.is_set() and len(self._requests) > REQUESTS_PER_HOUR - SPARE_REQUESTS:
            self.leaving.set()

    async def _watch(self, connection: ClientConnection) -> None:
        """Ping after a silence and require an answer to it; anything received is one."""
        while True:
            await self._silence(self._settings.ping_after_s)
            seen = self.received
            await connection.send("ping")
            await asyncio.sleep(self._settings.pong_within_s)
            # While nothing is read because the store is behind, silence proves nothing.
            if self.received == seen and not self._is_full():
                raise ExchangeUnavailable("no answer to a ping")

    async def _silence(self, seconds: float) -> None:
        """Return when nothing was received for `seconds`.

        Looking at a counter now and then costs nothing for each message.
        """
        seen, since = self.received, self._monotonic()
        while (quiet := self._monotonic() - since) < seconds:
            await asyncio.sleep(min(seconds - quiet, 1.0))
            if self.received != seen:
                seen, since = self.received, self._monotonic()

    async def _close(self) -> None:
        """Close politely but briefly: a flooded socket would take ten seconds."""
        if self._connection is None:
            return
        with contextlib.suppress(TimeoutError, OSError, WebSocketException):
            async with asyncio.timeout(self._settings.close_timeout_s):
                await self._connection.close()
        self._connection.transport.abort()


def requests(wish: str, channels: Collection[Channel]) -> Iterator[str]:
    """Yield as few requests as the limit on their size allows, sorted by channel."""
    args: list[dict[str, str]] = []
    size = 0
    for channel, subject in sorted(channels):
        key = SUBJECT_KEYS.get(channel, "instId")
        arg = {"channel": channel, key: subject} if key else {"channel": channel}
        length = len(msgspec.json.encode(arg)) + 1
        if args and size + length > MAX_REQUEST_BYTES:
            yield _encoded(wish, args)
            args, size = [], 0
        args.append(arg)
        size += length
    if args:
        yield _encoded(wish, args)


def _encoded(wish: str, args: list[dict[str, str]]) -> str:
    return msgspec.json.encode({"op": wish, "args": args}).decode()


def _reason(error: BaseException) -> str:
    """Return an error in one line."""
    if isinstance(error, ConnectionClosed):
        frame = error.rcvd
        return f"closed with {frame.code} {frame.reason}" if frame else "closed without a frame"
    return str(error) or type(error).__name__
