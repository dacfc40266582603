"""What must be so before anything starts, and the questions asked while programs start."""

from __future__ import annotations

import contextlib
import errno
import http.client
import shutil
import socket
from pathlib import Path

from tcpdashboard.embedded.errors import CannotStartError

NEEDED_BYTES = 300_000_000
# The log stands still meanwhile.
WEB_TIMEOUT_S = 3.0
ASK_TIMEOUT_S = 1.0


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; kept by the supervisor, it outlives the web process.

    Raises CannotStartError when the port is taken or not allowed.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CannotStartError(_why_not(host, port, error)) from error
    listener.listen(2048)
    return listener


def require_disk_space(folder: Path) -> None:
    """Raise CannotStartError when the disk of `folder` is nearly full."""
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise CannotStartError(
            f"only {free // 1_000_000} MB are free on the disk of {folder}, "
            f"{NEEDED_BYTES // 1_000_000} MB are needed: free some, or set TCPD_VAR to another disk"
        )


def web_answers(address: tuple[str, int], path: str) -> bool:
    """Say whether the web process answers `path` with success."""
    # The first request of a process imports what it needs: cut off, it would log a warning.
    connection = http.client.HTTPConnection(*address, timeout=WEB_TIMEOUT_S)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status < http.client.BAD_REQUEST
    return False


def takes_connections(port: int) -> bool:
    """Say whether something listens on that loopback port."""
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), ASK_TIMEOUT_S),
    ):
        return True
    return False


def free_port() -> int:
    """Return a loopback port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use: choose another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} is for root: choose one from 1024 on with --port"
    return f"cannot listen on {host}:{port}: {error.strerror}"
