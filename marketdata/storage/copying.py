"""PostgreSQL's binary COPY between a table and NumPy, without a Python object for any row.

Every column has a fixed width and is never NULL, so a row has one size: two bytes for the number
of fields, then four bytes of length before each value, all big-endian. A NumPy structured dtype
describes exactly that, and a whole COPY is one array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from psycopg2 import sql

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"

INT2: Final = ">i2"
INT4: Final = ">i4"
INT8: Final = ">i8"
FLOAT8: Final = ">f8"

# PostgreSQL counts the microseconds of a timestamptz from 2000-01-01.
_EPOCH_MS: Final = 946_684_800_000
# Rows that are built at a time: they stay in the processor's cache, and the server stores one
# block while the next is built.
_BLOCK_ROWS: Final = 2_000

Layout = np.dtype[np.void]
Rows = NDArray[np.void]
Columns = Mapping[str, "NDArray[Any] | int | bytes"]
"""By name, the values of a column, or the one value of all its rows."""


def row_layout(columns: Mapping[str, str]) -> Layout:
    """Return the dtype of one COPY row of `columns`, each with the format of its value.

    A text is "S<n>": every row then holds exactly n bytes.
    """
    fields: list[tuple[str, str]] = [("fields", INT2)]
    for name, value_format in columns.items():
        fields += [(_length_of(name), INT4), (name, value_format)]
    return np.dtype(fields)


def column_names(layout: Layout) -> tuple[str, ...]:
    """Return the columns of a layout in order."""
    names = layout.names
    assert names is not None
    return names[2::2]


def copy_in(
    cursor: CursorWrapper, table: str, layout: Layout, number: int, columns: Columns
) -> None:
    """Append `number` rows to `table`. Raises IntegrityError when one breaks a constraint."""
    names = sql.SQL(", ").join(map(sql.Identifier, column_names(layout)))
    statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        sql.Identifier(table), names
    )
    _copy(cursor, statement, Pieces(encoded(layout, number, columns)))


def copy_out(
    cursor: CursorWrapper,
    layout: Layout,
    query: sql.Composable,
    decode: Callable[[Rows], NDArray[np.void]],
) -> NDArray[np.void]:
    """Return what `decode` makes of the rows of `query`, whose columns must be those of `layout`.

    See `copy_blocks`.
    """
    blocks: list[NDArray[np.void]] = []
    copy_blocks(cursor, layout, query, lambda rows: blocks.append(decode(rows)))
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def copy_blocks(
    cursor: CursorWrapper, layout: Layout, query: sql.Composable, take: Callable[[Rows], None]
) -> None:
    """Hand the rows of `query`, whose columns must be those of `layout`, to `take` block by block.

    A block is taken while the server sends the next ones, and no more than one is ever held as it
    came. There is at least one, which may be empty.
    """
    received = _Received(layout, take)
    _copy(cursor, sql.SQL("copy ({}) to stdout (format binary)").format(query), received)
    received.hand_on()


def encoded(layout: Layout, number: int, columns: Columns) -> Iterator[bytes]:
    """Yield the COPY stream in blocks; the same block of rows is filled again and again."""
    block = np.zeros(min(number, _BLOCK_ROWS), dtype=layout)
    block["fields"] = len(column_names(layout))
    arrays: list[tuple[str, NDArray[Any]]] = []
    for name in column_names(layout):
        value = columns[name]
        block[_length_of(name)] = layout[name].itemsize
        if isinstance(value, np.ndarray):
            arrays.append((name, value))
        else:
            block[name] = value
    yield SIGNATURE
    for start in range(0, number, _BLOCK_ROWS):
        rows = block[: number - start]
        for name, values in arrays:
            rows[name] = values[start : start + _BLOCK_ROWS]
        yield rows.tobytes()
    yield TRAILER


def timestamps(time_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return UTC milliseconds as PostgreSQL's microseconds."""
    return (time_ms - _EPOCH_MS) * 1000


def milliseconds(timestamps: NDArray[Any]) -> NDArray[np.int64]:
    """Return PostgreSQL's microseconds as UTC milliseconds, cut off to the whole millisecond."""
    microseconds: NDArray[np.int64] = timestamps.astype(np.int64)
    return microseconds // 1000 + _EPOCH_MS


def _copy(cursor: CursorWrapper, statement: sql.Composable, file: object) -> None:
    # Django does not know COPY of a cursor, and its errors would stay psycopg2's.
    with cursor.db.wrap_database_errors:
        cursor.copy_expert(statement, file)


class _Received:
    """A file to write to: gets a row at a time and hands on a block at a time."""

    def __init__(self, layout: Layout, take: Callable[[Rows], None]) -> None:
        self._layout = layout
        self._take = take
        self._pieces: list[bytes] = []
        self._skip = len(SIGNATURE)

    def write(self, piece: bytes) -> None:
        self._pieces.append(piece)
        if len(self._pieces) >= _BLOCK_ROWS:
            self.hand_on()

    def hand_on(self) -> None:
        """Hand on the rows that are here."""
        content = b"".join(self._pieces)
        number = (len(content) - self._skip) // self._layout.itemsize
        rows = np.frombuffer(content, self._layout, number, self._skip)
        self._take(rows)
        # A row that came in part; in the end the two bytes of the trailer.
        self._pieces = [content[self._skip + rows.nbytes :]]
        self._skip = 0


class Pieces:
    """A file to read from, made of pieces of any size; psycopg2 sends each as it comes."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _size: int = -1) -> bytes:
        return next(self._pieces, b"")


def _length_of(name: str) -> str:
    return f"{name} length"
