"""Fingerprints of candle days, kept until the day's version moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

import numpy as np
from django.db import connection

from marketdata.domain.columns import CandleColumns
from marketdata.domain.fingerprint import combine, day_fingerprints
from marketdata.domain.timeframe import DAY_MS, Timeframe
from marketdata.models import Instrument
from marketdata.storage.columns import select_columns
from marketdata.storage.days import select_days

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

# Days hashed from one read: about 10 MB of 1m candles.
_DAYS_AT_ONCE: Final = 128

# A day that is being written is left to the next time: nobody waits for a cache.
_KEEP: Final = """
with fresh as (
    select * from unnest(%s::int[], %s::bigint[], %s::bytea[]) as hashed (day, version, hash)
), free as (
    select kept.day, kept.version, fresh.hash from marketdata_candleday as kept
    join fresh on kept.day = date '1970-01-01' + fresh.day and kept.version = fresh.version
    where kept.instrument_id = %s and kept.timeframe = %s
    for update of kept skip locked
)
update marketdata_candleday as kept set hashed_version = free.version, fingerprint = free.hash
from free where kept.instrument_id = %s and kept.timeframe = %s
    and kept.day = free.day and kept.version = free.version
"""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Candles of a range in memory, and the versions that its days had before they were read.

    What whole days are asked for of that range is hashed from them, unless a version has moved.
    """

    candles: CandleColumns
    versions: Mapping[int, int]

    def are_of(self, days: Mapping[int, int]) -> bool:
        """Return whether the candles of these days, by number, are those of these versions."""
        return all(self.versions.get(day * DAY_MS) == version for day, version in days.items())

    def between(self, start_ms: int, end_ms: int) -> CandleColumns:
        """Return the candles that open in [start_ms, end_ms)."""
        first, end = np.searchsorted(self.candles.open_time_ms, (start_ms, end_ms))
        return self.candles[int(first) : int(end)]


def range_fingerprint(
    instrument: Instrument,
    timeframe: Timeframe,
    start_ms: int,
    end_ms: int,
    held: Held | None = None,
) -> bytes:
    """Return the fingerprint of the stored candles that open in [start_ms, end_ms).

    It is made of those of its days, of which only days without candles are left out. Whole days
    are hashed again only when their version has moved since. `held` are the candles, where they are
    in memory.
    """
    with connection.cursor() as cursor:
        return select_fingerprint(cursor, instrument, timeframe, start_ms, end_ms, held)


def select_fingerprint(
    cursor: CursorWrapper,
    instrument: Instrument,
    timeframe: Timeframe,
    start_ms: int,
    end_ms: int,
    held: Held | None = None,
) -> bytes:
    """Return what `range_fingerprint` does, within the transaction of `cursor`.

    `held` are the candles of the range, where they are in memory.
    """
    first, stop = -(-start_ms // DAY_MS), end_ms // DAY_MS
    if first > stop:
        return combine(_hash_part(cursor, instrument, timeframe, start_ms, end_ms))
    return combine(
        [
            *_hash_part(cursor, instrument, timeframe, start_ms, first * DAY_MS),
            *_hash_days(cursor, instrument, timeframe, first, stop, held),
            *_hash_part(cursor, instrument, timeframe, stop * DAY_MS, end_ms),
        ]
    )


def _hash_part(
    cursor: CursorWrapper, instrument: Instrument, timeframe: Timeframe, start_ms: int, end_ms: int
) -> list[bytes]:
    if start_ms >= end_ms:
        return []
    candles = select_columns(cursor, instrument.pk, timeframe, start_ms, end_ms)
    return list(day_fingerprints(candles).values())


def _hash_days(
    cursor: CursorWrapper,
    instrument: Instrument,
    timeframe: Timeframe,
    first: int,
    stop: int,
    held: Held | None,
) -> list[bytes]:
    if first >= stop:
        return []
    days = select_days(cursor, instrument, timeframe, first * DAY_MS, stop * DAY_MS)
    hashes = {day: bytes(kept) for day, version, hashed, kept in days if hashed == version}
    # The versions first: where a write comes between, the hash is right and is not kept.
    stale = {day: version for day, version, hashed, _ in days if hashed != version}
    usable = held if held is not None and held.are_of(stale) else None
    for span in _spans(stale):
        if usable is not None:
            candles = usable.between(*span)
        else:
            candles = select_columns(cursor, instrument.pk, timeframe, *span)
        found = day_fingerprints(candles)
        hashes |= found
        key = instrument.pk, timeframe.minutes
        versions = [stale.get(day, 0) for day in found]
        cursor.execute(_KEEP, [list(found), versions, list(found.values()), *key, *key])
    return [hashes[day] for day in sorted(hashes)]


def _spans(days: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """Yield [start, end) of blocks of days that together hold all of `days`, in milliseconds."""
    for _, block in groupby(sorted(days), key=lambda day: day // _DAYS_AT_ONCE):
        chosen = list(block)
        yield chosen[0] * DAY_MS, (chosen[-1] + 1) * DAY_MS
