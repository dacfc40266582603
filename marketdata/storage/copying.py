"""PostgreSQL's binary COPY between a table and NumPy, without a Python object for any row.

Every column has a fixed width and is never NULL, so a row has one size: two bytes for the number
of fields, then four bytes of length before each value, all big-endian. A NumPy structured dtype
describes exactly that, and a whole COPY is one array.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
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
# Bytes that psycopg2 takes from the buffer at a time.
_PIECE: Final = 1 << 18

Rows = NDArray[np.void]


def row_layout(columns: Mapping[str, str]) -> np.dtype[np.void]:
    """Return the dtype of one COPY row of `columns`, each with the format of its value.

    A text is "S<n>": every row then holds exactly n bytes.
    """
    fields: list[tuple[str, str]] = [("fields", INT2)]
    for name, value_format in columns.items():
        fields += [(_length_of(name), INT4), (name, value_format)]
    return np.dtype(fields)


def column_names(layout: np.dtype[np.void]) -> tuple[str, ...]:
    """Return the columns of a layout in order."""
    names = layout.names
    assert names is not None
    return names[2::2]


def new_rows(layout: np.dtype[np.void], number: int) -> Rows:
    """Return `number` rows with their counts and lengths filled in and their values undefined."""
    template = np.zeros(1, dtype=layout)
    names = column_names(layout)
    template["fields"] = len(names)
    for name in names:
        template[_length_of(name)] = layout[name].itemsize
    rows = np.empty(number, dtype=layout)
    rows[:] = template
    return rows


def copy_in(cursor: CursorWrapper, table: str, rows: Rows) -> None:
    """Append `rows` to `table`. Raises IntegrityError when one of them breaks a constraint."""
    names = sql.SQL(", ").join(map(sql.Identifier, column_names(rows.dtype)))
    statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        sql.Identifier(table), names
    )
    content = np.ascontiguousarray(rows).view(np.uint8).data
    buffer = BytesIO(b"".join((SIGNATURE, content, TRAILER)))
    cursor.copy_expert(statement, buffer, _PIECE)


def copy_out(cursor: CursorWrapper, layout: np.dtype[np.void], query: sql.Composable) -> Rows:
    """Return the rows of `query`, whose columns must be those of `layout`, as one array."""
    buffer = BytesIO()
    cursor.copy_expert(sql.SQL("copy ({}) to stdout (format binary)").format(query), buffer)
    content = buffer.getbuffer()
    number = (len(content) - len(SIGNATURE) - len(TRAILER)) // layout.itemsize
    return np.frombuffer(content, dtype=layout, count=number, offset=len(SIGNATURE))


def timestamps(time_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return UTC milliseconds as PostgreSQL's microseconds."""
    return (time_ms - _EPOCH_MS) * 1000


def milliseconds(timestamps: NDArray[Any]) -> NDArray[np.int64]:
    """Return PostgreSQL's microseconds as UTC milliseconds, cut off to the whole millisecond."""
    microseconds: NDArray[np.int64] = timestamps.astype(np.int64)
    return microseconds // 1000 + _EPOCH_MS


def _length_of(name: str) -> str:
    return f"{name}: length"
