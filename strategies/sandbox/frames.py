"""What goes through the pipes: a JSON header, then the buffers of arrays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

LARGEST_HEADER: Final = 4_000_000
_TYPES: Final = ("<f8", "<i8", "<i2")


class BrokenFrame(Exception):
    """What was read is no frame, or only a part of one."""


def write_frame(file: IO[bytes], header: dict[str, Any], arrays: Sequence[NDArray[Any]]) -> None:
    """Write a frame; arrays are one-dimensional and of float64, int64 or int16."""
    described = [(array.dtype.str, len(array)) for array in arrays]
    text = json.dumps({"header": header, "arrays": described}).encode()
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for array in arrays:
        file.write(np.ascontiguousarray(array).data.cast("B"))
    file.flush()


def read_frame(
    file: IO[bytes], longest: int | None = None
) -> tuple[dict[str, Any], list[NDArray[Any]]] | None:
    """Return the next header and its arrays; None at the end of the file.

    Raises BrokenFrame for anything else, and for arrays of more than `longest` values.
    """
    size = file.read(8)
    if not size:
        return None
    length = int.from_bytes(size, "little")
    if len(size) < 8 or length > LARGEST_HEADER:
        raise BrokenFrame("a header of that size is none")
    try:
        frame = json.loads(_exactly(file, length))
        header, described = frame["header"], frame["arrays"]
        arrays = [_array(file, str(kind), int(count), longest) for kind, count in described]
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenFrame(f"the header cannot be read: {error}") from error
    if not isinstance(header, dict):
        raise BrokenFrame("the header is no object")
    return header, arrays


def _array(file: IO[bytes], kind: str, count: int, longest: int | None) -> NDArray[Any]:
    if kind not in _TYPES or count < 0 or (longest is not None and count > longest):
        raise BrokenFrame(f"an array of {count} {kind} was not expected")
    array = np.empty(count, dtype=kind)
    view, done = array.data.cast("B"), 0
    while done < len(view):
        read = file.readinto(view[done:])  # type: ignore[attr-defined] # of every binary file
        if not read:
            raise BrokenFrame("an array ended early")
        done += read
    return array


def _exactly(file: IO[bytes], length: int) -> bytes:
    text = file.read(length)
    if len(text) < length:
        raise BrokenFrame("the header ended early")
    return text
