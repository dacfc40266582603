"""Client connections: requests in, answers out, and the WebSocket sessions among them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from marketdata.simulator.channels import PATHS
from marketdata.simulator.gateway import TOO_MANY
from marketdata.simulator.limits import Window
from marketdata.simulator.sessions import Session, Surroundings
from marketdata.simulator.websocket import Socket
from marketdata.simulator.wire import Request, Response, read_request, response_bytes

logger = logging.getLogger(__name__)

_GOODBYE_S: Final = 0.5

Answer = Callable[[Request, str], Awaitable[Response]]


class Connections:
    """All connections of one exchange, on both ports."""

    def __init__(self, around: Surroundings, answer: Answer) -> None:
        self._around = around
        self._answer = answer
        self._sessions: set[Session] = set()
        self._open: dict[asyncio.Task[object], asyncio.StreamWriter] = {}
        per_second = around.config.limits.connections_per_second
        self._handshakes = None if per_second is None else Window(per_second, 1.0)

    def __iter__(self) -> Iterator[Session]:
        """Walk over the WebSocket sessions as they are now."""
        return iter(list(self._sessions))

    @property
    def are_lagging(self) -> bool:
        return any(session.is_lagging for session in self._sessions)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends."""
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            await self._requests(reader, writer)
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            logger.debug("a client went away in the middle of a request")
        except ValueError as error:
            logger.warning("a request that cannot be read: %s", error)
        finally:
            del self._open[task]
            writer.close()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = str(writer.get_extra_info("peername")[0])
        while (request := await read_request(reader)) is not None:
            if request.wants_websocket and request.path in PATHS:
                await self._websocket(request, reader, writer, address)
                return
            writer.write(response_bytes(await self._answer(request, address)))
            await writer.drain()
            if request.headers.get("connection", "").lower() == "close":
                return

    async def _websocket(
        self,
        request: Request,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        address: str,
    ) -> None:
        window = self._handshakes
        if window is not None and not window.allows(address, time.monotonic()):
            writer.write(response_bytes(TOO_MANY))
            return
        socket = Socket(reader, writer, self._around.config.compress)
        if not socket.open(request.head):
            return
        session = Session(PATHS[request.path], socket, self._around)
        self._sessions.add(session)
        try:
            async for text in socket.texts():
                session.receive(text)
        finally:
            session.leave()
            self._sessions.discard(session)

    def abort(self) -> None:
        """End every connection at once, without a word."""
        for writer in list(self._open.values()):
            writer.transport.abort()

    async def end(self) -> None:
        """Close every connection, as a server that stops does, and wait for them."""
        for session in self:
            session.close(1001, "going away")
        tasks = list(self._open)
        if tasks and self._sessions:
            await asyncio.wait(tasks, timeout=_GOODBYE_S)
        self.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
