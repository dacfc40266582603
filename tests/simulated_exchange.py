"""A simulated exchange for tests: in the test's own loop, or as a process of its own.

    async with running_exchange(tmp_path, speed=60) as exchange:
        ...  # exchange.rest_url, exchange.websocket_url, exchange.view(), exchange.faults

    with spawned_exchange(tmp_path, "--speed", "60") as exchange:
        ...  # exchange.rest, exchange.websocket, exchange.post("speed", {"speed": 600})

Both use free ports, a fixed start, and no limits unless they are asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from marketdata.simulator.config import NO_LIMITS, Config
from marketdata.simulator.exchange import SimulatedExchange
from marketdata.simulator.server import create_server
from tests.patience import PATIENCE_S, becomes

START_MS = int(datetime(2026, 1, 5, 12, 0, tzinfo=UTC).timestamp() * 1000)
"""2026-01-05 12:00 UTC, a Monday."""

ROOT = Path(__file__).resolve().parents[1]


@contextlib.asynccontextmanager
async def running_exchange(state: Path, **settings: Any) -> AsyncIterator[SimulatedExchange]:
    """Run an exchange in this loop; `settings` are fields of `Config`."""
    defaults = {"start_ms": None if "tape" in settings else START_MS, "limits": NO_LIMITS}
    config = Config(state=state / "exchange", **{**defaults, **settings})
    async with create_server(config) as exchange:
        yield exchange


@dataclass(frozen=True, slots=True)
class SpawnedExchange:
    """An exchange in a process of its own."""

    process: subprocess.Popen[str]
    rest: str
    websocket: str
    tls_rest: str | None
    tls_websocket: str | None
    ca_file: str | None

    def state(self) -> dict[str, Any]:
        return self._ask("GET", "state")

    def post(self, control: str, body: object) -> dict[str, Any]:
        """Send `body` to /control/speed or /control/faults; return the state."""
        return self._ask("POST", control, json.dumps(body).encode())

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self._ask("DELETE", "faults")

    def _ask(self, method: str, control: str, body: bytes | None = None) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.rest}/control/{control}", body, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            state: dict[str, Any] = json.load(answer)
            return state

    def stop(self) -> None:
        """Stop in peace: the clock is kept to the millisecond."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=PATIENCE_S)

    def kill(self) -> None:
        """Stop as a crash does."""
        self.process.kill()
        self.process.wait(timeout=PATIENCE_S)


@contextlib.contextmanager
def spawned_exchange(
    state: Path, *options: str, has_limits: bool = False
) -> Iterator[SpawnedExchange]:
    """Run an exchange in a process; `options` are those of the command, the state folder apart."""
    command = [sys.executable, "-m", "marketdata.simulator", "--state", str(state / "exchange")]
    defaults = [] if has_limits else ["--no-limits"]
    defaults += [] if "--port" in options else ["--port", "0"]
    if "--start" not in options and "--tape" not in options:
        defaults += ["--start", "2026-01-05T12:00:00Z"]
    process = subprocess.Popen(
        [*command, *defaults, *options],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield _ready(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=PATIENCE_S)


def _ready(process: subprocess.Popen[str]) -> SpawnedExchange:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the exchange ended with code {process.wait()}")
    ready = json.loads(line)
    return SpawnedExchange(
        process,
        ready["rest"],
        ready["websocket"],
        ready["tlsRest"],
        ready["tlsWebsocket"],
        ready["caFile"],
    )


class Listener:
    """One WebSocket connection whose frames are kept as they came."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[str] = []

    async def send(self, request: object) -> None:
        await self.connection.send(request if isinstance(request, str) else json.dumps(request))

    async def subscribe(self, *arguments: dict[str, str], **fields: str) -> None:
        await self.send({"op": "subscribe", "args": list(arguments), **fields})

    async def next(self, seconds: float = PATIENCE_S) -> Any:
        """Return the next frame: decoded, or as text when it is no JSON."""
        text = await asyncio.wait_for(self.connection.recv(decode=True), seconds)
        self.frames.append(text)
        try:
            return json.loads(text)
        except ValueError:
            return text

    async def until(self, wanted: Callable[[Any], bool], seconds: float = PATIENCE_S) -> Any:
        """Return the first frame that is wanted."""
        async with asyncio.timeout(seconds):
            while not wanted(frame := await self.next(seconds)):
                pass
        return frame

    async def rows(self, channel: str, count: int, seconds: float = PATIENCE_S) -> list[Any]:
        """Return the next data rows of a channel, at least `count` of them."""
        found: list[Any] = []
        while len(found) < count:
            frame = await self.until(lambda it: pushed(it, channel), seconds)
            found += frame["data"]
        return found


@contextlib.asynccontextmanager
async def listening(address: str) -> AsyncIterator[Listener]:
    """Open a WebSocket to an address such as exchange.websocket_url + "/public"."""
    options: dict[str, Any] = {"ping_interval": None, "max_queue": None, "close_timeout": 1}
    async with connect(address, compression=None, **options) as connection:
        yield Listener(connection)


def pushed(frame: Any, channel: str) -> bool:
    """Tell whether a frame is data of a channel."""
    return isinstance(frame, dict) and "data" in frame and frame["arg"]["channel"] == channel


def topic(channel: str, symbol: str = "BTC-USDT") -> dict[str, str]:
    """Return the argument of a subscription."""
    return {"channel": channel, "instId": symbol}


async def reaches(exchange: SimulatedExchange, time_ms: int) -> None:
    """Wait until the exchange's clock has reached a time."""
    await becomes(lambda: exchange.clock.now_ms >= time_ms, f"the clock to reach {time_ms}")
