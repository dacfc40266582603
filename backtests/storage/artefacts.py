"""Events and equity of finished runs in files that are named for what they hold."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any, Final

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import connection, transaction
from numpy.typing import NDArray

from backtests.models import Backtest

Arrays = Mapping[str, NDArray[Any]]

_FOLDER: Final = "backtests"
# Level 1 takes a fifth of the time of the default and makes files a tenth larger.
_LEVEL: Final = 1
# Their differences are small or zero, which packs to a fraction.
_RUNNING: Final = frozenset({"close_times", "equity", "closes"})


class Changed(Exception):
    """A file does not hold what its name says."""


def keep_arrays(arrays: Arrays) -> str:
    """Store arrays once and for all; return the name, which follows from their content.

    Call it in the transaction that stores the name: until its end nobody removes the file.
    """
    content = _packed(arrays)
    digest = hashlib.sha256(content).hexdigest()
    name = f"{_FOLDER}/{digest[:2]}/{digest}.npz"
    storage = _storage()
    _lock(name)
    if not storage.exists(name):
        # Of two writers at once the storage may give the second a name with an ending.
        return storage.save(name, ContentFile(content))
    return name


def load_arrays(name: str) -> dict[str, NDArray[Any]]:
    """Return the arrays stored as `name`. Raises Changed, and FileNotFoundError."""
    with _storage().open(name) as file:
        content = file.read()
    if not PurePosixPath(name).name.startswith(hashlib.sha256(content).hexdigest()):
        raise Changed(f"{name} was changed after it was written")
    with np.load(io.BytesIO(content), allow_pickle=False) as packed:
        return {key: _summed(key, packed[key]) for key in packed.files}


def remove_unnamed(name: str) -> bool:
    """Remove a file that no backtest names; return whether it was removed."""
    with transaction.atomic():
        _lock(name)
        if Backtest.objects.filter(artefact=name).exists():
            return False
        _storage().delete(name)
    return True


def remove_orphans(older_than: timedelta) -> int:
    """Remove the files that no backtest names and that are older; return how many there were."""
    limit = datetime.now(UTC) - older_than
    named = set(Backtest.objects.exclude(artefact="").values_list("artefact", flat=True))
    orphans = [name for name in _stored() if name not in named and _is_before(name, limit)]
    return sum(remove_unnamed(name) for name in orphans)


def _stored() -> Iterator[str]:
    storage = _storage()
    try:
        folders, _ = storage.listdir(_FOLDER)
    except FileNotFoundError:
        return
    for folder in folders:
        _, files = storage.listdir(f"{_FOLDER}/{folder}")
        yield from (f"{_FOLDER}/{folder}/{file}" for file in files)


def _is_before(name: str, limit: datetime) -> bool:
    try:
        return _storage().get_modified_time(name) < limit
    except FileNotFoundError:
        return False


def _lock(name: str) -> None:
    # To the end of the transaction: of who names a file and who removes it one waits for the other.
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def _packed(arrays: Arrays) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as packed:
        for name, array in arrays.items():
            kept = np.diff(array, prepend=array.dtype.type(0)) if name in _RUNNING else array
            member = io.BytesIO()
            np.lib.format.write_array(member, kept, allow_pickle=False)
            # With the time of day in it, the same run would make another file.
            entry = zipfile.ZipInfo(f"{name}.npy")
            packed.writestr(entry, member.getvalue(), zipfile.ZIP_DEFLATED, _LEVEL)
    return out.getvalue()


def _summed(name: str, array: NDArray[Any]) -> NDArray[Any]:
    return np.cumsum(array, dtype=array.dtype) if name in _RUNNING else array


def _storage() -> Storage:
    return storages["artefacts"]
