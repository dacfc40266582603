"""A log file that several processes may write and any of them may rotate."""

from __future__ import annotations

import contextlib
import fcntl
import io
import logging
import os
import sys
import time
from collections.abc import Iterator
from logging.handlers import WatchedFileHandler
from pathlib import Path

SECONDS_PER_DAY = 86_400
LOOKS_AGAIN_AFTER_S = 3600.0


class SharedLogFile(WatchedFileHandler):
    """Write records to `path`; above `max_bytes` move it to `path.1`, that to `path.2` and so on.

    At most `keep_files` old files are kept, none longer than `keep_days`. Readable by the owner and
    the group only. Unlike the standard library's handler it may be open in several processes. What
    cannot be written, on a full disk for instance, is lost: a log never stops the work it tells of.
    """

    def __init__(self, path: Path, *, max_bytes: int, keep_files: int, keep_days: float) -> None:
        self.path = Path(path)
        self.max_bytes = max_bytes
        self.keep_files = keep_files
        self.keep_s = keep_days * SECONDS_PER_DAY
        self.failure = ""
        self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        super().__init__(str(self.path), encoding="utf-8", delay=True)
        self._remove_expired()

    def emit(self, record: logging.LogRecord) -> None:
        known, self.failure = self.failure, ""
        try:
            if time.monotonic() > self._looks_again_at:
                self._remove_expired()
            if self._is_full():
                self._rotate()
            super().emit(record)
        except OSError as error:
            self._fail(error)
        if self.failure and not known:
            self._complain()

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._fail(error)
        else:
            super().handleError(record)

    def close(self) -> None:
        # What is still held back is lost.
        with contextlib.suppress(OSError):
            super().close()

    def _fail(self, error: OSError) -> None:
        self.failure = error.strerror or str(error)
        # With what it holds back it would fail again, even on another file.
        if self.stream is not None:
            with contextlib.suppress(OSError):
                self.stream.close()
            self.stream = None

    def _complain(self) -> None:
        """Say it once; again only when writing has succeeded in between."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"log lines are lost: {self.path}: {self.failure}\n")

    def _open(self) -> io.TextIOWrapper:
        return open(self.path, "a", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o640))

    def _is_full(self) -> bool:
        try:
            return self.path.stat().st_size >= self.max_bytes
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        with self._rotation_lock():
            # Another process may have rotated while this one waited for the lock.
            if not self._is_full():
                return
            for number in range(self.keep_files, 0, -1):
                older = self._numbered(number)
                newer = self._numbered(number - 1) if number > 1 else self.path
                with contextlib.suppress(FileNotFoundError):
                    newer.replace(older)
            if self.keep_files == 0:
                self.path.unlink(missing_ok=True)
            self._remove_expired()

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _remove_expired(self) -> None:
        self._looks_again_at = time.monotonic() + LOOKS_AGAIN_AFTER_S
        oldest = time.time() - self.keep_s
        for file in self.path.parent.glob(f"{self.path.name}.*"):
            with contextlib.suppress(OSError):
                if file.suffix != ".lock" and file.stat().st_mtime < oldest:
                    file.unlink()

    @contextlib.contextmanager
    def _rotation_lock(self) -> Iterator[None]:
        with self.path.with_name(f".{self.path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
