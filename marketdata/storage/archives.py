"""Compressed files of what leaves the database, and the way back.

A file is CSV with a header, gzipped, behind Django's storage API under the name `archives`.
Instruments are named, not numbered, so that a file can be restored into another installation.
"""

from __future__ import annotations

import gzip
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

from django.core.files import File
from django.core.files.storage import Storage, storages
from django.db import connection
from psycopg2 import sql

STORAGE: Final = "archives"
_PIECE: Final = 2**20


class ArchiveDamaged(Exception):
    """A file does not hold what was written into it, or what its record says."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds: rows without the header, compressed bytes, hash of the plain content."""

    name: str
    rows: int
    bytes: int
    sha256: str


def archives() -> Storage:
    """Return where archives are kept."""
    return storages[STORAGE]


def write_archive(name: str, query: sql.Composable, rows: int) -> Content:
    """Write the rows of `query` into a file and read it back; return what it holds.

    The name may differ from the one asked for when that is taken. Raises ArchiveDamaged, with the
    file taken away, when it does not read back as exactly `rows` rows.
    """
    with tempfile.TemporaryFile() as file:
        plain = _Plain()
        with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
            plain.target = packed
            _copy_out(query, plain)
        size = file.tell()
        file.seek(0)
        saved = archives().save(name, File(file))
    found = check_archive(saved)
    if found != Content(saved, rows, size, plain.digest):
        archives().delete(saved)
        raise ArchiveDamaged(f"{saved} was to hold {rows:,} rows, but reads back as {found}")
    return found


def check_archive(name: str) -> Content:
    """Read a file through and return what it holds. Raises ArchiveDamaged for no gzip."""
    digest, lines = hashlib.sha256(), 0
    for piece in _pieces(name):
        digest.update(piece)
        lines += piece.count(b"\n")
    return Content(name, max(0, lines - 1), archives().size(name), digest.hexdigest())


def read_archive(name: str) -> Iterator[bytes]:
    """Yield a file's plain content in pieces. Raises ArchiveDamaged for no gzip."""
    return _pieces(name)


def _pieces(name: str) -> Iterator[bytes]:
    try:
        with archives().open(name) as packed, gzip.GzipFile(fileobj=packed) as file:
            while piece := file.read(_PIECE):
                yield piece
    except (gzip.BadGzipFile, EOFError) as error:
        raise ArchiveDamaged(f"{name} is damaged: {error}") from error


class _Plain:
    """A file to write to that hashes what it passes on. Rows hold no line breaks of their own."""

    def __init__(self) -> None:
        self.target: IO[bytes] | Any = None
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def write(self, piece: bytes) -> None:
        self._digest.update(piece)
        self.target.write(piece)


def _copy_out(query: sql.Composable, file: _Plain) -> None:
    statement = sql.SQL("copy ({}) to stdout (format csv, header)").format(query)
    with connection.cursor() as cursor, cursor.db.wrap_database_errors:
        cursor.copy_expert(statement, file)
