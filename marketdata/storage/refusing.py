"""Minutes that a person has locked are left as they are; what was to change them is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.checking import agrees
from marketdata.domain.records import Candles
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import CandleConflict
from marketdata.storage.candles import select_candles
from marketdata.storage.conflicts import open_conflicts, record_conflicts, settle_conflicts
from marketdata.storage.locks import locked_ranges
from marketdata.storage.merging import Rule, are_among, merge

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

WRITTEN: Final = "written after the lock had ended"

_LOCKED: Final = CandleConflict.Kind.LOCKED


def refuse_locked(
    cursor: CursorWrapper, instrument_id: int, minutes: Candles, replaces: Rule
) -> tuple[Candles, int]:
    """Return those of `minutes` that are not locked, and how many of the others would have changed.

    These are kept beside the stored ones as conflicts. `minutes` are in order and not empty.
    """
    opens = minutes["open_time_ms"]
    ranges = locked_ranges(instrument_id, int(opens[0]), int(opens[-1]) + MINUTE_MS)
    if not ranges:
        return minutes, 0
    is_locked = _inside(opens, ranges)
    locked = minutes[is_locked]
    if not len(locked):
        return minutes, 0
    start_ms, end_ms = int(locked["open_time_ms"][0]), int(locked["open_time_ms"][-1]) + MINUTE_MS
    stored = select_candles(cursor, instrument_id, Timeframe.M1, start_ms, end_ms)
    merged = merge(stored, locked, replaces)
    wanted = merged.after["open_time_ms"][merged.inserted | merged.changed]
    refused = locked[are_among(locked["open_time_ms"], wanted)]
    record_conflicts(cursor, instrument_id, _LOCKED, stored, refused)
    return minutes[~is_locked], len(refused)


def settle_refused(cursor: CursorWrapper, instrument_id: int, minutes: Candles) -> None:
    """Settle the conflicts that a lock left, where the stored `minutes` say the same by now."""
    theirs = open_conflicts(cursor, instrument_id, _LOCKED, minutes["open_time_ms"])
    if len(theirs):
        ours = minutes[are_among(minutes["open_time_ms"], theirs["open_time_ms"])]
        settled = theirs["open_time_ms"][agrees(ours, theirs)]
        settle_conflicts(cursor, instrument_id, _LOCKED, settled, WRITTEN)


def _inside(opens: NDArray[np.int64], ranges: list[tuple[int, int]]) -> NDArray[np.bool_]:
    inside = np.zeros(len(opens), dtype=bool)
    for start_ms, end_ms in ranges:
        inside |= (opens >= start_ms) & (opens < end_ms)
    return inside
