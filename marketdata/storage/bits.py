"""A bit for every minute of a day: which candles are verified, and which differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.timeframe import DAY_MS, MINUTE_MS
from marketdata.models import CHECK_BYTES

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

DAY_MINUTES: Final = DAY_MS // MINUTE_MS

_SELECT: Final = """
select day - date '1970-01-01', verified, differs from marketdata_candlecheck
where instrument_id = %s and day between date '1970-01-01' + %s and date '1970-01-01' + %s
"""

_WRITE: Final = """
insert into marketdata_candlecheck (instrument_id, day, verified, differs)
select %s, date '1970-01-01' + day, verified, differs
from unnest(%s::int[], %s::bytea[], %s::bytea[]) as checked (day, verified, differs)
on conflict (instrument_id, day)
do update set verified = excluded.verified, differs = excluded.differs
"""


@dataclass(slots=True)
class Bits:
    """The bits of a run of days, a row a day: shape (days, 1440). No day is left out."""

    first_day: int
    verified: NDArray[np.bool_]
    differs: NDArray[np.bool_]

    def places(self, open_times: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return row and column of the minutes that open at `open_times`."""
        minutes = open_times // MINUTE_MS - self.first_day * DAY_MINUTES
        return minutes // DAY_MINUTES, minutes % DAY_MINUTES


def select_bits(cursor: CursorWrapper, instrument_id: int, start_ms: int, end_ms: int) -> Bits:
    """Return the bits of the days that touch [start_ms, end_ms), which is not empty."""
    first, last = start_ms // DAY_MS, (end_ms - 1) // DAY_MS
    bits = Bits(first, *(np.zeros((last - first + 1, DAY_MINUTES), dtype=bool) for _ in range(2)))
    cursor.execute(_SELECT, [instrument_id, first, last])
    for day, verified, differs in cursor.fetchall():
        bits.verified[day - first] = _unpacked(verified)
        bits.differs[day - first] = _unpacked(differs)
    return bits


def write_bits(
    cursor: CursorWrapper, instrument_id: int, bits: Bits, rows: NDArray[np.int64]
) -> None:
    """Store the days in `rows` of `bits`; the instrument is locked since they were read."""
    days = np.unique(rows)
    if len(days):
        cursor.execute(
            _WRITE,
            [
                instrument_id,
                (days + bits.first_day).tolist(),
                [_packed(bits.verified[day]) for day in days],
                [_packed(bits.differs[day]) for day in days],
            ],
        )


def _unpacked(content: memoryview | bytes) -> NDArray[np.bool_]:
    packed = np.frombuffer(content, np.uint8, CHECK_BYTES)
    return np.unpackbits(packed, bitorder="little").astype(bool)


def _packed(bits: NDArray[np.bool_]) -> bytes:
    return np.packbits(bits, bitorder="little").tobytes()
