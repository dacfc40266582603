"""Reads settings from the environment, strictly: a bad value stops the start with its name."""

from __future__ import annotations

import os
from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.FileAwareEnv()
_file = BASE_DIR / ".env"
if _file.exists():
    environ.Env.read_env(_file, overwrite=False)

VAR_DIR = Path(os.environ.get("TCPD_VAR") or BASE_DIR / "var").resolve()

# Read here because the supervisor writes log files too, without Django.
LOG_DIR = env.str("TCPD_LOG_DIR", default=str(VAR_DIR / "logs"))
LOG_FILE_MB = env.float("TCPD_LOG_FILE_MB", default=20)
LOG_FILES = env.int("TCPD_LOG_FILES", default=10)
LOG_DAYS = env.float("TCPD_LOG_DAYS", default=14)
