"""The server's end of one WebSocket, over an asyncio stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from websockets.exceptions import InvalidState
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.protocol import State
from websockets.server import ServerProtocol

_LARGEST_REQUEST: Final = 65_536
_CLOSING_S: Final = 1.0


class Socket:
    """Frames in and out.

    Data frames are written straight to the transport: a server's frames carry no mask, so one
    encoding serves all readers, thousands of trades a second.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, compress: bool
    ) -> None:
        extensions = [ServerPerMessageDeflateFactory()] if compress else []
        self._protocol = ServerProtocol(extensions=extensions, max_size=_LARGEST_REQUEST)
        self._reader = reader
        self._writer = writer
        self._parts: list[bytes] = []
        # A mute socket answers nothing, not even the protocol's own pings.
        self.is_mute = False

    def open(self, head: bytes) -> bool:
        """Answer the handshake in `head`; return whether the socket is open."""
        self._protocol.receive_data(head)
        for event in self._protocol.events_received():
            if isinstance(event, Handshake):
                self._protocol.send_response(self._protocol.accept(event))
        self._flush()
        return self._protocol.state is State.OPEN

    async def texts(self) -> AsyncIterator[str]:
        """Yield the client's text frames until the connection ends."""
        while data := await self._read():
            self._protocol.receive_data(data)
            for event in self._protocol.events_received():
                if isinstance(event, Frame) and (text := self._text(event)) is not None:
                    yield text
            self._flush()
            if self._protocol.state is State.CLOSED or self._protocol.close_expected():
                return

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(_LARGEST_REQUEST)
        except (ConnectionError, TimeoutError):
            return b""

    def _text(self, frame: Frame) -> str | None:
        """Return the text a frame completes, if it does."""
        if frame.opcode not in (Opcode.TEXT, Opcode.CONT):
            return None
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return None
        text = b"".join(self._parts).decode(errors="replace")
        self._parts = []
        return text

    def send(self, messages: list[bytes], frames: bytes) -> None:
        """Send messages; `frames` are the same, framed for readers without compression."""
        if self._protocol.state is not State.OPEN or self._writer.transport.is_closing():
            return
        if not self._protocol.extensions:
            self._writer.write(frames)
            return
        for message in messages:
            self._protocol.send_text(message)
        self._flush()

    def close(self, code: int, reason: str) -> None:
        """Send a closing frame; the client has a moment to answer it before the end."""
        try:
            self._protocol.send_close(code, reason)
        except InvalidState:
            return
        self._flush()
        asyncio.get_running_loop().call_later(_CLOSING_S, self._writer.close)

    def abort(self) -> None:
        """End the connection at once, without a frame."""
        self._writer.transport.abort()

    @property
    def unsent_bytes(self) -> int:
        """What the client has not taken yet, beyond the kernel's own buffers."""
        transport = self._writer.transport
        return 0 if transport.is_closing() else transport.get_write_buffer_size()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data and not self.is_mute:
                self._writer.write(data)
