"""A cache of candle columns on disk, mapped into memory by whoever runs a backtest.

An entry is a folder with one .npy file for each column of one instrument, timeframe and UTC year.
Its name holds a digest of the versions of the year's days, so a revision of any candle makes
another name: a stale entry cannot be found, only be taken as a start for the new one. Entries
are written beside their place and renamed, so any number of processes may share the folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog
from numpy.typing import NDArray

log = structlog.get_logger(__name__)

FORMAT: Final = 1
_MANIFEST: Final = "manifest.json"
_UNFINISHED: Final = ".unfinished"
_ABANDONED_S: Final = 3600

Arrays = Mapping[str, NDArray[Any]]


class Damaged(Exception):
    """An entry is not what was written: it has to be made anew."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A year's columns by name, and the versions of the days they were read at."""

    arrays: Arrays
    versions: dict[int, int]


@dataclass(frozen=True, slots=True)
class ColumnCache:
    """The entries in one folder, which together take at most `limit_bytes`."""

    folder: Path
    limit_bytes: int

    def find(self, subject: str, versions: Mapping[int, int]) -> Entry | None:
        """Return the entry of `subject` at these versions; None when there is none that is sound.

        `subject` names everything but the versions that the columns follow from.
        """
        return self._load(self._path(subject, versions))

    def find_older(self, subject: str) -> Entry | None:
        """Return the newest entry of `subject` at whatever versions."""
        found = sorted(self.folder.glob(f"{_named(subject)}-*"), key=_used_at, reverse=True)
        return next((entry for path in found if (entry := self._load(path))), None)

    def keep(self, subject: str, entry: Entry) -> None:
        """Write an entry in place of the older ones of its subject.

        What cannot be written is not kept, and logged: the columns are there all the same.
        """
        path = self._path(subject, entry.versions)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(path, entry)
            self._prune(path)
        except OSError as error:
            log.warning("columns_not_kept", subject=subject, error=str(error))

    def _path(self, subject: str, versions: Mapping[int, int]) -> Path:
        told = json.dumps([FORMAT, sorted(versions.items())]).encode()
        return self.folder / f"{_named(subject)}-{hashlib.blake2b(told, digest_size=8).hexdigest()}"

    def _load(self, path: Path) -> Entry | None:
        try:
            entry = _read(path)
            os.utime(path / _MANIFEST)
        except FileNotFoundError:
            return None
        except (Damaged, OSError, ValueError, KeyError, TypeError) as error:
            log.warning("columns_damaged", path=str(path), error=str(error))
            _remove(path)
            return None
        return entry

    def _write(self, path: Path, entry: Entry) -> None:
        unfinished = self.folder / f"{uuid.uuid4().hex}{_UNFINISHED}"
        unfinished.mkdir()
        try:
            for name, array in entry.arrays.items():
                np.save(unfinished / f"{name}.npy", array, allow_pickle=False)
            sums = {name: _sum(array) for name, array in entry.arrays.items()}
            told = {"format": FORMAT, "versions": list(entry.versions.items()), "sums": sums}
            (unfinished / _MANIFEST).write_text(json.dumps(told))
            with contextlib.suppress(FileExistsError):
                unfinished.rename(path)
        except OSError as error:
            # Another process was quicker with the same entry.
            if not (path / _MANIFEST).exists():
                raise error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _prune(self, newest: Path) -> None:
        """Remove what `newest` replaces, what was never finished, and the least used beyond size.

        Whoever has removed columns mapped keeps them until it lets go.
        """
        subject = newest.name.rpartition("-")[0]
        room = self.limit_bytes - _size(newest)
        others = [path for path in self.folder.iterdir() if path != newest]
        for path in sorted(others, key=_used_at, reverse=True):
            if path.name.endswith(_UNFINISHED):
                is_kept = _is_young(path)
            else:
                room -= _size(path)
                is_kept = room >= 0 and path.name.rpartition("-")[0] != subject
            if not is_kept:
                _remove(path)


def _named(subject: str) -> str:
    return hashlib.blake2b(subject.encode(), digest_size=8).hexdigest()


def _read(path: Path) -> Entry:
    told = json.loads((path / _MANIFEST).read_text())
    if told["format"] != FORMAT:
        raise Damaged(f"expected format {FORMAT}; was {told['format']}")
    arrays = {name: _mapped(path / f"{name}.npy") for name in told["sums"]}
    if len({len(array) for array in arrays.values()}) != 1:
        raise Damaged("its columns have different lengths")
    for name, array in arrays.items():
        if _sum(array) != told["sums"][name]:
            raise Damaged(f"{name} does not add up")
    return Entry(arrays, {int(day): int(version) for day, version in told["versions"]})


def _mapped(path: Path) -> NDArray[Any]:
    # Copied when written to, so that it is writable, which kernels are compiled for, and safe.
    mapped: NDArray[Any] = np.load(path, mmap_mode="c", allow_pickle=False)
    return mapped.view(np.ndarray)


def _sum(array: NDArray[Any]) -> int:
    """Return a sum that tells a file that was cut, zeroed or written over, at memory's speed."""
    words = array.view(np.uint64) if array.itemsize == 8 else array
    return int(np.sum(words, dtype=np.uint64))


def _used_at(path: Path) -> float:
    try:
        return (path / _MANIFEST).stat().st_mtime
    except OSError:
        return 0.0


def _is_young(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < _ABANDONED_S
    except OSError:
        return False


def _size(path: Path) -> int:
    return sum(_sizes(path))


def _sizes(path: Path) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for file in path.iterdir():
            yield file.stat().st_size


def _remove(path: Path) -> None:
    # Under another name first, so that nobody finds half of it.
    gone = path.with_name(f"{uuid.uuid4().hex}{_UNFINISHED}")
    with contextlib.suppress(OSError):
        path.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
