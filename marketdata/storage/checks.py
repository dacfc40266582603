"""Candles that were built here, held against the exchange's own of the same minutes.

All of it happens in the caller's transaction, with the instrument locked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.checking import agrees, is_checkable
from marketdata.domain.records import Candles
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import CandleConflict
from marketdata.storage.bits import Bits, select_bits, write_bits
from marketdata.storage.candles import select_candles
from marketdata.storage.conflicts import open_conflicts, record_conflicts, settle_conflicts
from marketdata.storage.merging import are_among

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

CORRECTED: Final = "the exchange corrected its candle"

_EXCHANGE: Final = CandleConflict.Kind.EXCHANGE


class Checked(NamedTuple):
    """How many minutes were found equal to the exchange's, and how many were not."""

    verified: int
    differing: int


def check_minutes(cursor: CursorWrapper, instrument_id: int, theirs: Candles) -> Checked:
    """Compare the stored minutes with the exchange's closed ones, which are in strict order.

    Minutes that are not stored, not whole or not built here are passed over. One that differs is
    kept with both values; one that differed before and does not any more is settled.
    """
    if not len(theirs):
        return Checked(0, 0)
    opens = theirs["open_time_ms"]
    start_ms, end_ms = int(opens[0]), int(opens[-1]) + MINUTE_MS
    stored = select_candles(cursor, instrument_id, Timeframe.M1, start_ms, end_ms)
    ours = stored[is_checkable(stored)]
    ours = ours[are_among(ours["open_time_ms"], opens)]
    theirs = theirs[are_among(opens, ours["open_time_ms"])]
    if not len(ours):
        return Checked(0, 0)
    bits = select_bits(cursor, instrument_id, start_ms, end_ms)
    same = agrees(ours, theirs)
    mended = same & ~bits.verified[bits.places(ours["open_time_ms"])]
    _set(cursor, instrument_id, bits, ours["open_time_ms"], verified=same, differs=~same)
    settle_conflicts(cursor, instrument_id, _EXCHANGE, ours["open_time_ms"][mended], CORRECTED)
    record_conflicts(cursor, instrument_id, _EXCHANGE, ours[~same], theirs[~same])
    return Checked(int(same.sum()), int((~same).sum()))


def note_changes(
    cursor: CursorWrapper, instrument_id: int, before: Candles, after: Candles, reason: str
) -> None:
    """Follow stored minutes that were `before` and are `after` now, in order of open time.

    A verified minute stays so when it says the same as before, and one that differed from the
    exchange's is verified when it says what the exchange does. Any other is to be checked again.
    """
    opens = after["open_time_ms"]
    start_ms, end_ms = int(opens[0]), int(opens[-1]) + MINUTE_MS
    bits = select_bits(cursor, instrument_id, start_ms, end_ms)
    if not (bits.verified.any() or bits.differs.any()):
        return
    place = bits.places(opens)
    verified = bits.verified[place] & agrees(before, after) & is_checkable(after)
    differs = bits.differs[place] & is_checkable(after)
    theirs = open_conflicts(cursor, instrument_id, _EXCHANGE, opens)
    if len(theirs):
        place_of_theirs = np.searchsorted(opens, theirs["open_time_ms"])
        is_same = agrees(after[place_of_theirs], theirs)
        mended, still = place_of_theirs[is_same], place_of_theirs[~is_same]
        verified[mended] = is_checkable(after)[mended]
        differs[mended] = False
        settle_conflicts(cursor, instrument_id, _EXCHANGE, opens[mended], reason)
        record_conflicts(cursor, instrument_id, _EXCHANGE, after[still], theirs[~is_same])
    _set(cursor, instrument_id, bits, opens, verified=verified, differs=differs)


def _set(
    cursor: CursorWrapper,
    instrument_id: int,
    bits: Bits,
    opens: NDArray[np.int64],
    *,
    verified: NDArray[np.bool_],
    differs: NDArray[np.bool_],
) -> None:
    place = bits.places(opens)
    changed = (bits.verified[place] != verified) | (bits.differs[place] != differs)
    bits.verified[place], bits.differs[place] = verified, differs
    write_bits(cursor, instrument_id, bits, place[0][changed])
