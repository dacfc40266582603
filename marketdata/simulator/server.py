"""The simulated exchange as one server: REST, WebSocket and control, on a plain and a TLS port."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from marketdata.simulator.channels import PATHS, channels
from marketdata.simulator.clock import ExchangeClock
from marketdata.simulator.config import Config
from marketdata.simulator.control import Control
from marketdata.simulator.engine import Engine
from marketdata.simulator.faults import Fault, FaultKind, Faults, read_fault_file
from marketdata.simulator.gateway import TOO_MANY, Gateway
from marketdata.simulator.hub import Hub
from marketdata.simulator.limits import Window
from marketdata.simulator.sessions import Session, Surroundings
from marketdata.simulator.sources import markets_of, start_ms_of
from marketdata.simulator.tls import certificates, server_context
from marketdata.simulator.view import View
from marketdata.simulator.websocket import Socket
from marketdata.simulator.wire import Request, Response, read_request, response_bytes

logger = logging.getLogger(__name__)

_CHECK_S: Final = 0.1
_HEAD_BYTES: Final = 65_536


class SimulatedExchange:
    """A running exchange. Made by `create_server`."""

    def __init__(self, config: Config) -> None:
        self.config = config
        markets = markets_of(config)
        start_ms = start_ms_of(config, markets.live, int(time.time() * 1000))
        self.clock = ExchangeClock(config.state, markets.live.identity, start_ms, config.speed)
        self.faults = Faults(self.clock.started_ms)
        if config.faults is not None:
            self.faults.add(read_fault_file(config.faults))
        self.market = markets.live
        offered = channels(config.legacy_checksum)
        self._hub = Hub(self.market, offered, self.faults)
        self._around = Surroundings(
            config, self._hub, offered, self.faults, self.view, time.monotonic, time.time
        )
        scale = config.limits.rest_scale
        self._gateway = Gateway(markets, self.faults, lambda: self.clock.now_ms, scale)
        self._control = Control(self.clock, self.faults, self.state)
        self._sessions: set[Session] = set()
        self.engine = Engine(
            self.clock, self._hub, self._is_lagging, self.market.end_ms, config.hold
        )
        per_second = config.limits.connections_per_second
        self._handshakes = None if per_second is None else Window(per_second, 1.0)
        self.port = 0
        self.tls_port: int | None = None
        self.ca_file: Path | None = None

    # ------------------------------------------------------------------ addresses
    @property
    def rest_url(self) -> str:
        return f"http://{self.config.host}:{self.port}"

    @property
    def websocket_url(self) -> str:
        """The address before /public and /business."""
        return f"ws://{self.config.host}:{self.port}/ws/v5"

    @property
    def tls_rest_url(self) -> str:
        return f"https://{self.config.host}:{self.tls_port}"

    @property
    def tls_websocket_url(self) -> str:
        return f"wss://{self.config.host}:{self.tls_port}/ws/v5"

    # ------------------------------------------------------------------ state
    def view(self) -> View:
        """Return the market as it stands now."""
        return View(self.market, self.clock.now_ms)

    def state(self) -> dict[str, object]:
        """Return what the exchange is doing, as /control/state answers."""
        return {
            "exchangeMs": self.clock.now_ms,
            "startedMs": self.clock.started_ms,
            "speed": self.clock.speed,
            "market": self.market.identity,
            "symbols": list(self.market.instruments),
            "hasEnded": self.engine.has_ended,
            "isHeld": self.engine.is_held,
            "isLagging": self._is_lagging(),
            "connections": [
                {
                    "connId": session.connection_id,
                    "path": session.path,
                    "topics": [f"{topic.channel}:{topic.subject}" for topic in session.topics],
                }
                for session in self._sessions
            ],
            "pushed": self._hub.pushed,
            "faults": self.faults.state,
        }

    def _is_lagging(self) -> bool:
        return any(session.is_lagging for session in self._sessions)

    # ------------------------------------------------------------------ connections
    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends."""
        try:
            await self._requests(reader, writer)
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            logger.debug("a client went away in the middle of a request")
        except ValueError as error:
            logger.warning("a request that cannot be read: %s", error)
        finally:
            writer.close()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("peername")[0]
        while (request := await read_request(reader)) is not None:
            if request.wants_websocket and request.path in PATHS:
                await self._websocket(request, reader, writer, address)
                return
            writer.write(response_bytes(await self._answer(request, address)))
            await writer.drain()
            if request.headers.get("connection", "").lower() == "close":
                return

    async def _answer(self, request: Request, address: str) -> Response:
        if request.path.startswith("/control/"):
            return self._control.answer(request)
        return await self._gateway.answer(request, address, time.monotonic())

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
        socket = Socket(reader, writer, self.config.compress)
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

    # ------------------------------------------------------------------ watch
    async def watch(self) -> None:
        """Begin faults that are due and close idle connections, until cancelled."""
        while True:
            for fault in self.faults.begin(self.clock.now_ms, time.monotonic()):
                self._strike(fault)
            for session in list(self._sessions):
                session.check()
            await asyncio.sleep(_CHECK_S)

    def _strike(self, fault: Fault) -> None:
        for session in list(self._sessions):
            if fault.path not in (None, session.path):
                continue
            if fault.kind is FaultKind.STALL:
                session.stall(fault.seconds, fault.pong)
            elif fault.kind is FaultKind.DISCONNECT:
                session.disconnect()
            elif fault.kind is FaultKind.CLOSE:
                session.close(fault.code, fault.reason)
            else:
                session.announce_upgrade()
                loop = asyncio.get_running_loop()
                loop.call_later(fault.seconds, session.close, 1000, "Service upgrade")

    def hang_up(self) -> None:
        """Close every connection, as a server that stops does."""
        for session in list(self._sessions):
            session.close(1001, "going away")


@contextlib.asynccontextmanager
async def create_server(config: Config) -> AsyncIterator[SimulatedExchange]:
    """Run a simulated exchange in this loop for as long as the context is open.

    Raises WrongState when the state folder belongs to another market, ValueError for a tape,
    symbol or fault script that is wrong, OSError when a port is taken.
    """
    exchange = SimulatedExchange(config)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(exchange.clock.close)
        await _listen(exchange, stack)
        for work in (exchange.engine.run(), exchange.watch()):
            task = asyncio.create_task(work)
            stack.push_async_callback(_ended, task)
        stack.callback(exchange.hang_up)
        yield exchange


async def _listen(exchange: SimulatedExchange, stack: contextlib.AsyncExitStack) -> None:
    config = exchange.config
    plain = await asyncio.start_server(exchange.serve, config.host, config.port, limit=_HEAD_BYTES)
    stack.callback(plain.close)
    exchange.port = plain.sockets[0].getsockname()[1]
    if config.tls_port is None:
        return
    files = certificates(config.state, datetime.now(UTC))
    secure = await asyncio.start_server(
        exchange.serve,
        config.host,
        config.tls_port,
        ssl=server_context(files),
        limit=_HEAD_BYTES,
    )
    stack.callback(secure.close)
    exchange.tls_port = secure.sockets[0].getsockname()[1]
    exchange.ca_file = files.ca


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
