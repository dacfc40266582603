"""Commands share a var folder's engines: the first starts them, the last one out stops them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tcpdashboard.embedded.engines import (
    START_TIMEOUT_S,
    VARIABLES,
    Engines,
    recorded_addresses,
    stop_recorded,
)
from tcpdashboard.embedded.errors import CannotStartError
from tcpdashboard.embedded.folders import claim, kept_secret
from tcpdashboard.env import VAR_DIR, given
from tcpdashboard.processes import POLL_S, wait_until

SECRET_KEY = "TCPD_SECRET_KEY"  # noqa: S105 - the name of the variable


@contextlib.contextmanager
def engines_for_this_process() -> Iterator[None]:
    """Give this process its addresses: the environment's, running engines', or engines of its own.

    Engines started here are stopped by the last process that uses them. Raises CannotStartError.
    """
    missing = missing_engines()
    if not missing:
        keep_secret_key(VAR_DIR, make=False)
        yield
        return
    claim(VAR_DIR)
    keep_secret_key(VAR_DIR, make=True)
    with in_use(VAR_DIR) as use:
        with _turn(VAR_DIR):
            addresses = _running(VAR_DIR)
            if addresses is None or not missing <= addresses.keys():
                addresses = _start(VAR_DIR, missing)
        for name, address in addresses.items():
            if not given(name):
                os.environ[name] = address
        try:
            yield
        finally:
            with _turn(VAR_DIR):
                if lock_now(use):
                    stop_recorded(VAR_DIR)


def missing_engines() -> set[str]:
    """Return which of DATABASE_URL and REDIS_URL the environment leaves to us."""
    return {name for name in VARIABLES.values() if not given(name)}


def wanted_engines(missing: set[str]) -> tuple[str, ...]:
    """Return the names of the engines that give those variables."""
    return tuple(name for name, variable in VARIABLES.items() if variable in missing)


def keep_secret_key(var_dir: Path, *, make: bool) -> None:
    """Set TCPD_SECRET_KEY, unless it is set, from the var folder; `make` one if need be."""
    path = var_dir / "secret-key"
    if not given(SECRET_KEY) and (make or path.exists()):
        os.environ[SECRET_KEY] = kept_secret(path)


@contextlib.contextmanager
def in_use(var_dir: Path) -> Iterator[IO[str]]:
    """Mark the engines of `var_dir` as used while the block runs; yields the lock's file."""
    with (var_dir / "run" / "in-use").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield file


def share(use: IO[str]) -> None:
    """Let others in again after `alone`."""
    fcntl.flock(use, fcntl.LOCK_SH)


@contextlib.contextmanager
def only_supervisor(var_dir: Path) -> Iterator[None]:
    """Hold the var folder for this supervisor. Raises CannotStartError when another holds it."""
    with (var_dir / "run" / "supervisor").open("a") as file:
        if not lock_now(file):
            raise CannotStartError(
                f"./dev up runs already with {var_dir}: stop it, "
                "or set TCPD_VAR to another folder and choose another --port"
            )
        yield


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


def _running(var_dir: Path) -> dict[str, str] | None:
    if not _is_supervised(var_dir):
        return recorded_addresses(var_dir)
    # Starting others in the same folder would end in tears; the supervisor's come up any moment.
    if not wait_until(lambda: recorded_addresses(var_dir) is not None, START_TIMEOUT_S):
        raise CannotStartError(f"./dev up runs with {var_dir}, but its database does not answer")
    return recorded_addresses(var_dir)


def _is_supervised(var_dir: Path) -> bool:
    with (var_dir / "run" / "supervisor").open("a") as file:
        return not lock_now(file)


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
