"""The login of the WebSocket API."""

from __future__ import annotations

import base64
import hashlib
import hmac

from marketdata.simulator.config import Credentials

_VALID_S = 30


def signature(secret: str, timestamp: str) -> str:
    """Return the signature a client sends with `timestamp` (UNIX seconds as text)."""
    message = f"{timestamp}GET/users/self/verify".encode()
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode()


def login_error(argument: object, known: Credentials, wall_s: float) -> tuple[str, str] | None:
    """Return code and message of what is wrong with a login's argument; None: it is right."""
    if not isinstance(argument, dict):
        return "60009", "Login failed."
    timestamp = str(argument.get("timestamp", ""))
    if not timestamp.isdigit():
        return "60004", "Invalid timestamp"
    if argument.get("apiKey") != known.api_key:
        return "60005", "Invalid apiKey"
    if abs(int(timestamp) - wall_s) > _VALID_S:
        return "60006", "Timestamp request expired"
    if not hmac.compare_digest(str(argument.get("sign")), signature(known.secret, timestamp)):
        return "60007", "Invalid sign"
    if argument.get("passphrase") != known.passphrase:
        return "60024", "Wrong passphrase"
    return None
