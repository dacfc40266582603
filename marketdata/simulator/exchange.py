"""The simulated exchange: its parts put together, its state, and its troubles."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

from marketdata.simulator.books import SLICE_MS
from marketdata.simulator.channels import channels
from marketdata.simulator.clock import ExchangeClock
from marketdata.simulator.config import Config
from marketdata.simulator.connections import Connections
from marketdata.simulator.control import Control
from marketdata.simulator.engine import Engine
from marketdata.simulator.faults import Fault, FaultKind, Faults, read_fault_file
from marketdata.simulator.gateway import Gateway
from marketdata.simulator.hub import Hub
from marketdata.simulator.network import Network
from marketdata.simulator.sessions import Session, Surroundings
from marketdata.simulator.sources import markets_of, start_ms_of
from marketdata.simulator.view import View
from marketdata.simulator.wire import Request, Response

_CHECK_S: Final = 0.1
_FEW: Final = 50
_CROWD_GRID_MS: Final = 1000
"""Books, tickers and running candles of a crowd take more than a processor ten times a second."""


class SimulatedExchange:
    """An exchange; `server.create_server` makes it listen and its clock run.

    Raises WrongState when the state folder belongs to another market, ValueError for a tape,
    symbol or fault script that is wrong.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        markets = markets_of(config)
        self.market = markets.live
        start_ms = start_ms_of(config, self.market, int(time.time() * 1000))
        self.clock = ExchangeClock(config.state, self.market.identity, start_ms, config.speed)
        self.faults = Faults(self.clock.started_ms)
        if config.faults is not None:
            self.faults.add(read_fault_file(config.faults))
        offered = channels(config.legacy_checksum)
        self._hub = Hub(self.market, offered, self.faults)
        self.around = Surroundings(
            config, self._hub, offered, self.faults, self.view, time.monotonic, time.time
        )
        self.connections = Connections(self.around, self._answer)
        self.network = Network(config.host, self.connections)
        self._gateway = Gateway(
            markets, self.faults, lambda: self.clock.now_ms, config.limits.rest_scale
        )
        self._control = Control(self.clock, self.faults, self._begin_faults, self.state)
        self.engine = Engine(
            self.clock,
            self._step,
            lambda: bool(self._hub.topics),
            lambda: self.connections.are_lagging,
            self.market.end_ms,
            config.hold,
            SLICE_MS if len(self.market.instruments) <= _FEW else _CROWD_GRID_MS,
        )
        self.work: list[asyncio.Task[None]] = []
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
            "isLagging": self.connections.are_lagging,
            "isCut": self.network.is_cut,
            "connections": [_described(session) for session in self.connections],
            "pushed": self._hub.pushed,
            "faults": self.faults.state,
        }

    async def _answer(self, request: Request, address: str) -> Response:
        if request.path.startswith("/control/"):
            return self._control.answer(request)
        return await self._gateway.answer(request, address, time.monotonic())

    # ------------------------------------------------------------------ time
    def _step(self, after_ms: int, now_ms: int, on_grid: bool) -> None:
        self._begin_faults()
        self._hub.step(after_ms, now_ms, on_grid)

    async def watch(self) -> None:
        """Begin faults that are due, end cuts and close idle connections, until cancelled."""
        while True:
            self._begin_faults()
            await self.network.look(self.clock.now_ms)
            for session in self.connections:
                session.check()
            await asyncio.sleep(_CHECK_S)

    # ------------------------------------------------------------------ trouble
    def _begin_faults(self) -> None:
        for fault in self.faults.begin(self.clock.now_ms, time.monotonic()):
            if fault.kind is FaultKind.CUT:
                self._cut(fault)
                continue
            for session in self.connections:
                if fault.path in (None, session.path):
                    _strike(session, fault)

    def _cut(self, fault: Fault) -> None:
        """Cut the network for the fault's time; at the end of a tape the clock stands still."""
        until_ms = self.clock.now_ms + int(fault.seconds * 1000)
        end_ms = self.market.end_ms
        self.network.cut(until_ms if end_ms is None else min(until_ms, end_ms))


def _described(session: Session) -> dict[str, object]:
    return {
        "connId": session.connection_id,
        "path": session.path,
        "topics": [f"{topic.channel}:{topic.subject}" for topic in session.topics],
    }


def _strike(session: Session, fault: Fault) -> None:
    """Do a fault to a connection."""
    if fault.kind is FaultKind.STALL:
        session.stall(fault.seconds, fault.pong)
    elif fault.kind is FaultKind.DISCONNECT:
        session.disconnect()
    elif fault.kind is FaultKind.CLOSE:
        session.close(fault.code, fault.reason)
    else:
        session.announce_upgrade()
        later = asyncio.get_running_loop().call_later
        later(fault.seconds, session.close, 1000, "Service upgrade")
