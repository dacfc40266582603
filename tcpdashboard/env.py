"""Reads settings from the environment, strictly: a bad value stops the start with its name.

Each may come from a file instead, as Docker's secrets do: NAME_FILE=/run/secrets/name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import environ


class Variables(Mapping[str, str]):
    """The environment, as it is at each reading; NAME_FILE wins over NAME."""

    def __getitem__(self, name: str) -> str:
        file = os.environ.get(f"{name}_FILE")
        if not file:
            # A value that begins with $ would be taken for the name of another variable.
            return os.environ[name].replace("$", r"\$")
        try:
            return Path(file).read_text(encoding="utf-8").rstrip("\r\n").replace("$", r"\$")
        except OSError as error:
            raise environ.ImproperlyConfigured(
                f"{name}_FILE names {file}, which cannot be read: {error.strerror}"
            ) from error

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)


def given(name: str) -> str:
    """Return the text of a variable, from the environment or its file; empty when there is none."""
    return str(env.str(name, default=""))


BASE_DIR = Path(__file__).resolve().parent.parent

ADMIN_PASSWORD = "TCPD_ADMIN_PASSWORD"  # noqa: S105 - the name of the variable

env = environ.Env()
env.ENVIRON = Variables()
env.escape_proxy = True
_file = BASE_DIR / ".env"
if _file.exists():
    environ.Env.read_env(_file, overwrite=False)

VAR_DIR = Path(os.environ.get("TCPD_VAR") or BASE_DIR / "var").resolve()

# Read here because the supervisor writes log files too, without Django.
LOG_DIR = env.str("TCPD_LOG_DIR", default=str(VAR_DIR / "logs"))
LOG_FILE_MB = env.float("TCPD_LOG_FILE_MB", default=20)
LOG_FILES = env.int("TCPD_LOG_FILES", default=10)
LOG_DAYS = env.float("TCPD_LOG_DAYS", default=14)
