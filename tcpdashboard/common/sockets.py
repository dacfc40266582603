"""What every WebSocket of the project goes through before its application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tcpdashboard.common.connection import Send

Application = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Wire:
    """The server's own side of a socket.

    `send` has none of the middleware around it, which matters when it is called for hundreds of
    sockets at once. `abort` cuts the connection without waiting: ASGI knows only the orderly close,
    which waits for ever behind data that a browser does not read. uvicorn's `send` is a method of
    its protocol, which has the transport; under another server `abort` does nothing, and such a
    socket stays until the peer goes away.
    """

    send: Send
    abort: Callable[[], object]


def with_wire(application: Application) -> Application:
    """Put `scope["wire"]` there for applications inside of middleware."""

    async def wrapped(scope: dict[str, Any], receive: Any, send: Send) -> None:
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        wire = Wire(send, getattr(transport, "abort", _nothing))
        await application({**scope, "wire": wire}, receive, send)

    return wrapped


def _nothing() -> None:
    pass


async def no_such_socket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Refuse a WebSocket at an address that has none."""
    await receive()
    await send({"type": "websocket.close"})
