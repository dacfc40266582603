"""HTTP/1.1 requests and responses, and unmasked WebSocket frames, as bytes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import msgspec

_LARGEST_HEAD: Final = 65_536
_LARGEST_BODY: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `head` are its raw bytes, header names are lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    head: bytes

    @property
    def wants_websocket(self) -> bool:
        return self.headers.get("upgrade", "").lower() == "websocket"


@dataclass(frozen=True, slots=True)
class Response:
    """A JSON answer."""

    body: object
    status: int = 200


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Return the next request of a connection, or None at its end.

    Raises ValueError when the bytes are no request this server reads.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise ValueError(f"expected at most {_LARGEST_HEAD} bytes of headers") from None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = dict(_header(line) for line in lines if line)
    length = int(headers.get("content-length", "0"))
    if length > _LARGEST_BODY:
        raise ValueError(f"expected at most {_LARGEST_BODY} bytes of body, was {length}")
    body = await reader.readexactly(length) if length else b""
    url = urlsplit(target)
    return Request(method, url.path, dict(parse_qsl(url.query)), headers, body, head)


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


def response_bytes(response: Response) -> bytes:
    """Return the whole answer."""
    body = msgspec.json.encode(response.body)
    head = (
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def text_frame(payload: bytes) -> bytes:
    """Return an unmasked, uncompressed text frame: the same bytes for every reader."""
    length = len(payload)
    if length < 126:
        return bytes((0x81, length)) + payload
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2, "big") + payload
    return b"\x81\x7f" + length.to_bytes(8, "big") + payload
