"""Many WebSocket clients in one process, as cheap as they can be.

Reads one JSON line from standard input: {"port", "path", "hello", "cookies": […]}; prints "ready"
when every client has its first message. Each later message carries `"n":<number>`; the clients
note when each number has reached the first and the last of them. The line "report" on standard
input prints {"n": [received, first_ns, last_ns]} on the clock of time.monotonic_ns and ends.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import struct
import sys
import time
from typing import Any, cast

import uvloop

TEXT, PING, PONG = 0x1, 0x9, 0xA
NUMBER = re.compile(rb'"n":(\d+)')


class Arrivals:
    """When each numbered message arrived, over all clients."""

    def __init__(self) -> None:
        self.by_number: dict[int, list[int]] = {}
        self.greeted = 0

    def note(self, payload: bytes, now_ns: int) -> None:
        """Count one message of one client."""
        found = NUMBER.search(payload)
        if found is None:
            return
        entry = self.by_number.setdefault(int(found[1]), [0, now_ns, now_ns])
        entry[0] += 1
        entry[2] = now_ns


class Client(asyncio.Protocol):
    """One WebSocket: upgrades, sends the hello, reads frames."""

    def __init__(self, order: dict[str, Any], cookie: str, arrivals: Arrivals) -> None:
        self._order, self._cookie, self._arrivals = order, cookie, arrivals
        self._buffer = b""
        self._is_open = False
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of a class of their own.
        self._transport = cast("asyncio.WriteTransport", transport)
        key = base64.b64encode(os.urandom(16)).decode()
        port, path = self._order["port"], self._order["path"]
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            f"Origin: http://127.0.0.1:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            f"Cookie: {self._cookie}",
        ]
        self._write("\r\n".join([*lines, "", ""]).encode())

    def data_received(self, data: bytes) -> None:
        now_ns = time.monotonic_ns()
        self._buffer += data
        if not self._is_open:
            head, mark, rest = self._buffer.partition(b"\r\n\r\n")
            if not mark:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self.greeted.set_exception(ConnectionError(head.decode()))
                return
            self._buffer, self._is_open = rest, True
            if self._order["hello"]:
                self._send(TEXT, self._order["hello"].encode())
        while (payload := self._next_frame()) is not None:
            self._arrivals.note(payload, now_ns)
            if b'"type":"status"' not in payload and not self.greeted.done():
                self.greeted.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.greeted.done():
            self.greeted.set_exception(ConnectionError(f"closed before the first message: {error}"))

    def _next_frame(self) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1] & 0x7F, 2
        if length == 126:
            if len(buffer) < 4:
                return None
            length, start = struct.unpack_from(">H", buffer, 2)[0], 4
        if len(buffer) < start + length:
            return None
        self._buffer = buffer[start + length :]
        payload = buffer[start : start + length]
        if buffer[0] & 0x0F == PING:
            self._send(PONG, payload)
        return payload

    def _send(self, opcode: int, payload: bytes) -> None:
        # A mask of zeros leaves the payload as it is, which is shorter than 126 bytes.
        self._write(bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload)

    def close(self) -> None:
        """End the connection."""
        self._transport.close()

    def _write(self, data: bytes) -> None:
        self._transport.write(data)


async def run(order: dict[str, Any]) -> None:
    """Connect all clients, report on demand."""
    loop = asyncio.get_running_loop()
    arrivals = Arrivals()
    gate = asyncio.Semaphore(20)

    async def connect(cookie: str) -> Client:
        async with gate:
            _, client = await loop.create_connection(
                lambda: Client(order, cookie, arrivals), "127.0.0.1", order["port"]
            )
            await asyncio.wait_for(client.greeted, 30)
            return client

    clients = await asyncio.gather(*(connect(cookie) for cookie in order["cookies"]))
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    cpu_s = time.process_time()
    print(json.dumps({"cpu_s": cpu_s, "arrivals": arrivals.by_number}), flush=True)
    for client in clients:
        client.close()


if __name__ == "__main__":
    uvloop.run(run(json.loads(sys.stdin.readline())))
