"""The files of an archive: named, packed, and read back only when they are what was written."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import IO, Any, Final

import numpy as np

from marketdata.domain.columns import COLUMN_TYPES, CandleColumns

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
CONFIG: Final = "config.json"
RESULT: Final = "result.json"
FILLS: Final = "fills.csv"
SOURCE: Final = "strategy.py"
CANDLES: Final = {name: f"candles/{name}.npy" for name in COLUMN_TYPES}
EQUITY: Final = ("equity/close_time_ms.npy", "equity/equity.npy")

_KNOWN: Final = frozenset({MANIFEST, CONFIG, RESULT, FILLS, SOURCE, *CANDLES.values(), *EQUITY})
_LARGEST: Final = 1 << 30
_LEVEL: Final = 1
_PIECE: Final = 1 << 20


class BadArchive(ValueError):
    """The file is no archive of a backtest, or not as it was written."""


class Packer:
    """Writes members with their hashes, and the manifest that holds these at the end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
        self._hashes: dict[str, str] = {}

    def json(self, name: str, value: Mapping[str, Any]) -> None:
        """Write an object."""
        self.pieces(name, iter([json.dumps(value, indent=1, sort_keys=True)]))

    def array(self, name: str, array: Any) -> None:
        """Write an array as .npy."""
        kept = io.BytesIO()
        np.lib.format.write_array(kept, np.ascontiguousarray(array), allow_pickle=False)
        self._write(name, iter([kept.getvalue()]))

    def pieces(self, name: str, texts: Iterator[str]) -> None:
        """Write a text."""
        self._write(name, (text.encode() for text in texts))

    def close(self, told: Mapping[str, Any]) -> None:
        """Write the manifest, `told` in it, and end the file."""
        self.json(MANIFEST, {"format": FORMAT, **told, "sha256": dict(self._hashes)})
        self._zip.close()

    def _write(self, name: str, pieces: Iterator[bytes]) -> None:
        digest = hashlib.sha256()
        # Without a time of day the same run makes the same file.
        with self._zip.open(_entry(name), "w", force_zip64=True) as member:
            for piece in pieces:
                digest.update(piece)
                member.write(piece)
        self._hashes[name] = digest.hexdigest()


class Archive:
    """An archive that was read: every member is known, of bearable size and as it was written.

    Raises BadArchive.
    """

    def __init__(self, file: IO[bytes]) -> None:
        try:
            self._zip = zipfile.ZipFile(file)
            self._sizes = {entry.filename: entry.file_size for entry in self._zip.infolist()}
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise BadArchive(f"it is no zip file: {error}") from error
        if strange := sorted(set(self._sizes) - _KNOWN):
            raise BadArchive(f"it holds {strange[0]!r}, which is none of an archive's files")
        if sum(self._sizes.values()) > _LARGEST:
            raise BadArchive("it unpacks to more than a gigabyte")
        self.manifest = self.json(MANIFEST)
        if self.manifest.get("format") != FORMAT:
            raise BadArchive(f"expected format {FORMAT}; was {self.manifest.get('format')!r}")

    def changed(self) -> list[str]:
        """Return the members that are not what the manifest says they were."""
        hashes = self.manifest.get("sha256", {})
        names = sorted({*hashes, *self._sizes} - {MANIFEST})
        return [name for name in names if self._hash(name) != hashes.get(name)]

    def text(self, name: str) -> str:
        """Return a text, empty when it is not there."""
        return self._read(name).decode() if name in self._sizes else ""

    def json(self, name: str) -> dict[str, Any]:
        """Return an object."""
        try:
            value = json.loads(self._read(name))
        except ValueError as error:
            raise BadArchive(f"{name} cannot be read: {error}") from error
        if not isinstance(value, dict):
            raise BadArchive(f"{name} is no object")
        return value

    def candles(self) -> CandleColumns:
        """Return the candles that the run used."""
        arrays = {name: self._array(member) for name, member in CANDLES.items()}
        wrong = [name for name, kind in COLUMN_TYPES.items() if arrays[name].dtype != kind]
        if wrong or len({array.shape for array in arrays.values()}) != 1:
            raise BadArchive("its candles have columns of different kinds or lengths")
        return CandleColumns(**arrays)

    def _array(self, name: str) -> Any:
        try:
            array = np.lib.format.read_array(io.BytesIO(self._read(name)), allow_pickle=False)
        except ValueError as error:
            raise BadArchive(f"{name} cannot be read: {error}") from error
        if array.ndim != 1:
            raise BadArchive(f"{name} is no column")
        return array

    def _read(self, name: str) -> bytes:
        try:
            return self._zip.read(name)
        except (KeyError, zipfile.BadZipFile, OSError, EOFError) as error:
            raise BadArchive(f"{name} is missing or damaged") from error

    def _hash(self, name: str) -> str:
        digest = hashlib.sha256()
        try:
            with self._zip.open(name) as member:
                while piece := member.read(_PIECE):
                    digest.update(piece)
        except (KeyError, zipfile.BadZipFile, OSError, EOFError):
            return ""
        return digest.hexdigest()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
