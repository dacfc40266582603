"""Why the server closes a socket: codes of our own, and the sentence that goes with each."""

from __future__ import annotations

from typing import Any, Final

LOGIN_NEEDED: Final = 4401
TOO_SLOW: Final = 4408
TOO_MANY_MESSAGES: Final = 4429
TOO_MANY_SOCKETS: Final = 4430

# At most 123 bytes fit into the frame.
REASONS: Final = {
    LOGIN_NEEDED: "not logged in, or logged out: log in again",
    TOO_SLOW: "messages are not read fast enough",
    TOO_MANY_MESSAGES: "too many messages in a second",
    TOO_MANY_SOCKETS: "too many connections of one person: close other tabs",
}


def close_event(code: int) -> dict[str, Any]:
    """Return the ASGI event that closes a socket with `code` and its reason."""
    return {"type": "websocket.close", "code": code, "reason": REASONS[code]}
