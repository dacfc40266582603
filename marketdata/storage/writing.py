"""Storing 1m candles and everything that follows from them, in the caller's transaction.

The instrument is locked, so that looking first is safe: what is stored is read, merged in memory
with what came, and only the difference is copied into the table. A replay writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

from marketdata.domain.aggregation import resample_all
from marketdata.domain.quality import check_candles
from marketdata.domain.records import Candles, InstrumentSpec, Source, empty_candles
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import Instrument, from_ms
from marketdata.storage.candles import Bounds, select_all_bounds, select_bounds, select_candles
from marketdata.storage.checks import note_changes
from marketdata.storage.copying import copy_in
from marketdata.storage.days import bump_days
from marketdata.storage.flats import stale_flats
from marketdata.storage.locks import lock_instrument
from marketdata.storage.merging import Merged, Rule, are_among, better_minutes, differs, merge
from marketdata.storage.refusing import refuse_locked, settle_refused
from marketdata.storage.revisions import record_changes, record_late
from marketdata.storage.rows import CANDLE_WRITE, candle_columns
from marketdata.storage.windows import Windows, closed_windows, span_of

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

Fence = Callable[["CursorWrapper"], None]

_NO_OPENS: Final[NDArray[np.int64]] = np.empty(0, dtype=np.int64)

# Whole days, so that no window is built in two transactions; below 50,000 rows.
_TRANSACTION_MS: Final = 34 * DAY_MS

# From so many minutes on a thread is worth its start.
_MANY: Final = 5_000

_DELETE: Final = """
delete from marketdata_candle where instrument_id = %s and timeframe = %s
    and open_time between %s and %s
"""


@dataclass(frozen=True, slots=True)
class WriteResult:
    """How many 1m candles were new, were changed, and were stored already as they are.

    `locked` are those that would have been new or changed, had a person not locked their range.
    """

    inserted: int = 0
    changed: int = 0
    unchanged: int = 0
    locked: int = 0

    def __add__(self, other: WriteResult) -> WriteResult:
        return WriteResult(
            self.inserted + other.inserted,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
            self.locked + other.locked,
        )


def write_candles(
    instrument: Instrument,
    minutes: Candles,
    *,
    reason: str,
    source: Source | None = None,
    fence: Fence | None = None,
) -> WriteResult:
    """Store closed 1m candles, in strict order of open time, and rebuild the candles above them.

    A transaction holds 34 days at most. `source` is put into every candle when given; `reason`
    is what revisions of closed candles say; `fence` is called first in every transaction and
    raises when the caller may no longer write. Raises InvalidRecord, before anything is stored,
    for candles that are out of order or impossible.
    """
    check_candles(minutes)
    result = WriteResult()
    parts = _parts(minutes)
    is_own = not connection.in_atomic_block
    for number, part in enumerate(parts, 1):
        with transaction.atomic(), connection.cursor() as cursor:
            if is_own and number < len(parts):
                # The log is written in order: the last commit waits for all of them.
                cursor.execute("set local synchronous_commit = off")
            if fence is not None:
                fence(cursor)
            lock_instrument(cursor, instrument.pk)
            # A part at a time: memory that is used again costs a third of fresh memory.
            result += store_minutes(cursor, instrument, _completed(part, source), reason)
    return result


def store_minutes(
    cursor: CursorWrapper,
    instrument: Instrument,
    minutes: Candles,
    reason: str,
    replaces: Rule = better_minutes,
) -> WriteResult:
    """Store 1m candles and rebuild the closed windows above them; the instrument is locked.

    A window is closed when a minute at its end or after it is stored. Locked minutes are refused.
    """
    if not len(minutes):
        return WriteResult()
    incoming = len(minutes)
    minutes, locked = refuse_locked(cursor, instrument.pk, minutes, replaces)
    if not len(minutes):
        return WriteResult(unchanged=incoming - locked, locked=locked)
    bounds = select_bounds(cursor, instrument.pk, Timeframe.M1)
    windows = closed_windows(minutes, bounds)
    start_ms, end_ms = span_of(minutes, windows)
    stored = _stored(cursor, instrument.pk, Timeframe.M1, start_ms, end_ms, bounds)
    merged = merge(stored, minutes, replaces)
    result = _counted(merged, incoming, locked)
    if result.inserted or result.changed:
        with _resampling(merged.after, windows, instrument.spec) as higher:
            changed = _store(cursor, instrument.pk, Timeframe.M1, merged, reason, bounds)
            written = _store_higher(cursor, instrument.pk, higher(), windows, reason)
        written.append((Timeframe.M1, changed))
        bump_days(cursor, instrument.pk, written)
        if bounds.newest_ms is not None and minutes["open_time_ms"][0] <= bounds.newest_ms:
            settle_refused(cursor, instrument.pk, merged.after)
            flats = stale_flats(cursor, instrument.pk, merged.after)
            store_minutes(cursor, instrument, flats, reason, differs)
    return result


def rebuild_windows(
    instrument: Instrument, timeframe: Timeframe, start_ms: int, end_ms: int, reason: str
) -> None:
    """Store the candles of `timeframe` that open in [start_ms, end_ms) as their minutes make them.

    The bounds lie on the grid of `timeframe`; windows that are not closed yet are left out.
    """
    for first_ms in range(start_ms, end_ms, _TRANSACTION_MS):
        last_ms = min(end_ms, first_ms + _TRANSACTION_MS)
        with transaction.atomic(), connection.cursor() as cursor:
            lock_instrument(cursor, instrument.pk)
            minutes = select_candles(cursor, instrument.pk, Timeframe.M1, first_ms, last_ms)
            if not len(minutes):
                continue
            opens = closed_windows(minutes, select_bounds(cursor, instrument.pk, Timeframe.M1))
            opens[timeframe] = opens[timeframe][opens[timeframe] < last_ms]
            windows = {name: opens[name] if name is timeframe else _NO_OPENS for name in opens}
            higher = resample_all(minutes, instrument.spec)
            written = _store_higher(cursor, instrument.pk, higher, windows, reason)
            bump_days(cursor, instrument.pk, written)


@contextmanager
def _resampling(
    minutes: Candles, windows: Windows, spec: InstrumentSpec
) -> Iterator[Callable[[], dict[Timeframe, Candles]]]:
    """Give what returns the higher candles; many are made while the minutes are copied."""
    if not any(len(opens) for opens in windows.values()):
        yield dict
    elif len(minutes) < _MANY:
        yield partial(resample_all, minutes, spec)
    else:
        with ThreadPoolExecutor(1, thread_name_prefix="resample") as pool:
            yield pool.submit(resample_all, minutes, spec).result


def _store_higher(
    cursor: CursorWrapper,
    instrument_id: int,
    higher: dict[Timeframe, Candles],
    windows: Windows,
    reason: str,
) -> list[tuple[Timeframe, Candles]]:
    closed = {
        timeframe: _where(candles, are_among(candles["open_time_ms"], windows[timeframe]))
        for timeframe, candles in higher.items()
    }
    closed = {timeframe: candles for timeframe, candles in closed.items() if len(candles)}
    written = []
    bounds = select_all_bounds(cursor, instrument_id, list(closed)) if closed else {}
    for timeframe, candles in closed.items():
        start_ms, end_ms = int(candles["open_time_ms"][0]), int(candles["open_time_ms"][-1]) + 1
        known = bounds[timeframe]
        stored = _stored(cursor, instrument_id, timeframe, start_ms, end_ms, known)
        merged = merge(stored, candles, differs)
        changed = _store(cursor, instrument_id, timeframe, merged, reason, known)
        written.append((timeframe, changed))
    return written


def _stored(
    cursor: CursorWrapper,
    instrument_id: int,
    timeframe: Timeframe,
    start_ms: int,
    end_ms: int,
    bounds: Bounds,
) -> Candles:
    """Return the stored candles of a range; an empty one is not read."""
    if not bounds.touch(start_ms, end_ms):
        return empty_candles()
    return select_candles(cursor, instrument_id, timeframe, start_ms, end_ms)


def _store(
    cursor: CursorWrapper,
    instrument_id: int,
    timeframe: Timeframe,
    merged: Merged,
    reason: str,
    bounds: Bounds,
) -> Candles:
    """Write the difference, and return the candles that are new or changed."""
    is_new, after = merged.inserted | merged.changed, merged.after
    if not is_new.any():
        return after[:0]
    is_written = merged.inserted.copy()
    if merged.changed.any():
        # One range is deleted and copied again, unchanged candles in it included: twice as fast
        # as an upsert of many rows, and no slower for one.
        first, last = after["open_time_ms"][merged.changed][[0, -1]].tolist()
        cursor.execute(_DELETE, [instrument_id, timeframe.minutes, from_ms(first), from_ms(last)])
        is_written |= (after["open_time_ms"] >= first) & (after["open_time_ms"] <= last)
    rows = _where(after, is_written)
    columns = candle_columns(instrument_id, timeframe, rows)
    copy_in(cursor, "marketdata_candle", CANDLE_WRITE, len(rows), columns)
    changed = after[merged.changed]
    record_changes(cursor, instrument_id, timeframe, merged.before, changed, reason)
    if timeframe is Timeframe.M1 and len(changed):
        note_changes(cursor, instrument_id, merged.before, changed, reason)
    late = _where(after, merged.inserted & _is_between(after, bounds))
    record_late(cursor, instrument_id, timeframe, late, reason)
    return _where(after, is_new)


def _where(candles: Candles, mask: NDArray[np.bool_]) -> Candles:
    # Copying a year of candles only to leave none out costs as much as merging them.
    return candles if mask.all() else candles[mask]


def _is_between(candles: Candles, bounds: Bounds) -> NDArray[np.bool_]:
    if bounds.oldest_ms is None or bounds.newest_ms is None:
        return np.zeros(len(candles), dtype=bool)
    opens = candles["open_time_ms"]
    between: NDArray[np.bool_] = (opens > bounds.oldest_ms) & (opens < bounds.newest_ms)
    return between


def _counted(merged: Merged, incoming: int, locked: int) -> WriteResult:
    inserted, changed = int(merged.inserted.sum()), int(merged.changed.sum())
    return WriteResult(inserted, changed, incoming - inserted - changed - locked, locked)


def _completed(minutes: Candles, source: Source | None) -> Candles:
    """Return a copy with the source, and the earliest possible closing time where none is known."""
    minutes = minutes.copy()
    if source is not None:
        minutes["source"] = source
    closed_at = minutes["closed_at_ms"]
    closed_at[closed_at == 0] = minutes["open_time_ms"][closed_at == 0] + MINUTE_MS
    return minutes


def _parts(minutes: Candles) -> list[Candles]:
    part = minutes["open_time_ms"] // _TRANSACTION_MS
    return [piece for piece in np.split(minutes, np.flatnonzero(np.diff(part)) + 1) if len(piece)]
