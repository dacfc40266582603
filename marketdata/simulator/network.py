"""The exchange's ports, and the cuts during which nobody reaches them."""

from __future__ import annotations

import asyncio
import contextlib
from ssl import SSLContext
from typing import Final

from marketdata.simulator.connections import Connections

_HEAD_BYTES: Final = 65_536


class Network:
    """Listens for connections; during a cut they are refused, and the open ones are gone."""

    def __init__(self, host: str, connections: Connections) -> None:
        self._host = host
        self._connections = connections
        self._ports: dict[int, SSLContext | None] = {}
        self._servers: dict[int, asyncio.Server] = {}
        self._cut_until_ms: int | None = None

    @property
    def is_cut(self) -> bool:
        return bool(self._ports) and not self._servers

    async def open(self, port: int, context: SSLContext | None = None) -> int:
        """Listen on a port (0: any free one) and return its number. Raises OSError when taken."""
        server = await asyncio.start_server(
            self._connections.serve, self._host, port, ssl=context, limit=_HEAD_BYTES
        )
        number: int = server.sockets[0].getsockname()[1]
        self._ports[number], self._servers[number] = context, server
        return number

    def cut(self, until_ms: int) -> None:
        """Let nobody in from the next look on, until the exchange's clock says `until_ms`."""
        self._cut_until_ms = max(until_ms, self._cut_until_ms or 0)

    async def look(self, now_ms: int) -> None:
        """Begin and end what is due. Call now and then."""
        if self._cut_until_ms is None:
            return
        if now_ms < self._cut_until_ms:
            self.close()
            self._connections.abort()
            return
        # Meanwhile somebody else may have been given the port: the next look tries again.
        with contextlib.suppress(OSError):
            for port in self._ports.keys() - self._servers.keys():
                await self.open(port, self._ports[port])
            self._cut_until_ms = None

    def close(self) -> None:
        """Listen no more."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()
