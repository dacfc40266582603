"""Commands share a var folder's engines: the first starts them, the last one out stops them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tcpdashboard.embedded.engines import VARIABLES, Engines, recorded_urls, stop_recorded
from tcpdashboard.embedded.errors import CannotStartError
from tcpdashboard.embedded.folders import claim, kept_secret
from tcpdashboard.processes import POLL_S

SECRET_KEY = "TCPD_SECRET_KEY"  # noqa: S105 - the name of the variable


@contextlib.contextmanager
def engines_for_this_process() -> Iterator[None]:
    """Give this process its addresses: the environment's, running engines', or engines of its own.

    Engines started here are stopped by the last process that uses them. Raises CannotStartError.
    """
    from tcpdashboard.env import VAR_DIR

    missing = missing_engines()
    if not missing:
        keep_secret_key(VAR_DIR, make=False)
        yield
        return
    claim(VAR_DIR)
    keep_secret_key(VAR_DIR, make=True)
    with in_use(VAR_DIR) as use:
        with _turn(VAR_DIR):
            urls = recorded_urls(VAR_DIR)
            if urls is None or not missing <= urls.keys():
                urls = _start(VAR_DIR, missing)
        os.environ.update({name: urls[name] for name in missing})
        try:
            yield
        finally:
            with _turn(VAR_DIR):
                if lock_now(use):
                    stop_recorded(VAR_DIR)


def missing_engines() -> set[str]:
    """Return which of DATABASE_URL and REDIS_URL the environment leaves to us."""
    return {name for name in VARIABLES.values() if not os.environ.get(name)}


def wanted_engines(missing: set[str]) -> tuple[str, ...]:
    """Return the names of the engines that give those variables."""
    return tuple(name for name, variable in VARIABLES.items() if variable in missing)


def keep_secret_key(var_dir: Path, *, make: bool) -> None:
    """Set TCPD_SECRET_KEY, unless it is set, from the var folder; `make` one if need be."""
    path = var_dir / "secret-key"
    if not os.environ.get(SECRET_KEY) and (make or path.exists()):
        os.environ[SECRET_KEY] = kept_secret(path)


@contextlib.contextmanager
def in_use(var_dir: Path) -> Iterator[IO[str]]:
    """Mark the engines of `var_dir` as used while the block runs; yields the lock's file."""
    with (var_dir / "run" / "in-use").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield file


@contextlib.contextmanager
def alone(var_dir: Path, timeout_s: float) -> Iterator[IO[str]]:
    """Wait until no other process uses the engines of `var_dir`, then be its first user.

    Raises CannotStartError after `timeout_s` seconds.
    """
    with (var_dir / "run" / "in-use").open("a") as file:
        deadline = time.monotonic() + timeout_s
        while not lock_now(file):
            if time.monotonic() > deadline:
                raise CannotStartError(
                    f"a command is using the database in {var_dir}: let it end, or set TCPD_VAR"
                )
            time.sleep(POLL_S)
        yield file


def lock_now(file: IO[str]) -> bool:
    """Take the file's lock for this process alone; say whether nobody else held it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start(var_dir: Path, missing: set[str]) -> dict[str, str]:
    # They outlive this process when another still uses them.
    engines = Engines(var_dir, only=wanted_engines(missing), dies_with_parent=False)
    engines.start()
    return engines.urls


@contextlib.contextmanager
def _turn(var_dir: Path) -> Iterator[None]:
    with (var_dir / "run" / "turn").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
