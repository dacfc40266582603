"""What every WebSocket of the project goes through before its application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Application = Callable[..., Awaitable[Any]]


def with_abort(application: Application) -> Application:
    """Put `scope["abort"]` there: a function that cuts the connection without waiting.

    ASGI knows only the orderly close, which waits for ever behind data that a browser does not
    read. uvicorn's `send` is a method of its protocol, which has the transport; under another
    server `abort` is None, and such a socket stays until the peer goes away.
    """

    async def wrapped(scope: dict[str, Any], receive: Any, send: Any) -> None:
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        await application({**scope, "abort": getattr(transport, "abort", None)}, receive, send)

    return wrapped


async def no_such_socket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Refuse a WebSocket at an address that has none."""
    await receive()
    await send({"type": "websocket.close"})
