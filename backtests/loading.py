"""Loading the minutes of a backtest: from the cache of columns, which follows the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from django.conf import settings
from django.db import connection

from backtests.domain.market import MarketMinutes
from backtests.domain.units import Units
from backtests.storage.columns import ColumnCache, Entry
from marketdata.domain.columns import COLUMN_TYPES, CandleColumns
from marketdata.domain.timeframe import DAY_MS, Timeframe
from marketdata.models import Instrument, from_ms, to_ms
from marketdata.storage import day_versions
from marketdata.storage.columns import read_columns

_TICKS: Final = ("opens", "highs", "lows", "closes", "traded")
_ATTEMPTS: Final = 10
_NEAR_DAYS: Final = 7
"""Stale days no further apart are read together."""

# Another database, or tables that were emptied, would begin their versions anew.
_IDENTITY: Final = """
select (select system_identifier from pg_control_system()), oid,
    pg_relation_filenode('marketdata_candleday')
from pg_database where datname = current_database()
"""


class CandlesMoved(Exception):
    """Candles changed faster than they could be read: try again later."""


def load_minutes(instrument: Instrument, start_ms: int, end_ms: int) -> MarketMinutes:
    """Return the stored 1m candles that open in [start_ms, end_ms), as of one moment.

    They are mapped into memory when they lie in one UTC year, else copied together. Raises
    CandlesMoved.
    """
    units = Units.of(instrument.spec)
    years = [
        _clipped(_year(instrument, units, year), start_ms, end_ms)
        for year in range(from_ms(start_ms).year, from_ms(max(start_ms, end_ms - 1)).year + 1)
    ]
    found = [arrays for arrays in years if len(arrays["open_time_ms"])] or years[:1]
    joined = found[0] if len(found) == 1 else _joined(found)
    columns = CandleColumns(**{name: joined[name] for name in COLUMN_TYPES})
    return MarketMinutes(
        candles=columns,
        highest_tick=int(joined["highs"].max(initial=0)),
        **{name: joined[name] for name in _TICKS},
    )


def _year(instrument: Instrument, units: Units, year: int) -> Mapping[str, Any]:
    cache = ColumnCache(settings.VAR_DIR / "columns", settings.COLUMN_CACHE_MB * 2**20)
    span = _start_of(year), _start_of(year + 1)
    subject = _subject(instrument, units, year)
    versions = day_versions(instrument, Timeframe.M1, *span)
    entry = cache.find(subject, versions)
    if entry is not None:
        return entry.arrays
    entry = cache.find_older(subject) or Entry(_arrays(_nothing(), units), {})
    for _ in range(_ATTEMPTS):
        candles = _brought_up(instrument, entry, versions, span)
        entry = Entry(_arrays(candles, units), versions)
        # What changed while it was read may be in it or not: it is read again.
        versions = day_versions(instrument, Timeframe.M1, *span)
        if versions == entry.versions:
            cache.keep(subject, entry)
            return entry.arrays
    raise CandlesMoved(f"the candles of {instrument} in {year} changed while they were read")


def _subject(instrument: Instrument, units: Units, year: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute(_IDENTITY)
        identity = cursor.fetchone()
    return f"{identity} {instrument.pk} {units.tick} {Timeframe.M1} {year}"


def _brought_up(
    instrument: Instrument, entry: Entry, versions: Mapping[int, int], span: tuple[int, int]
) -> CandleColumns:
    """Return the candles of an older entry with the days read anew whose version moved."""
    old = CandleColumns(**{name: entry.arrays[name] for name in COLUMN_TYPES})
    stale = sorted(
        day for day in {*entry.versions, *versions} if entry.versions.get(day) != versions.get(day)
    )
    pieces, done_ms = [], span[0]
    for first_ms, end_ms in _stretches(stale):
        pieces.append(_between(old, done_ms, first_ms))
        pieces.append(read_columns(instrument, Timeframe.M1, first_ms, end_ms))
        done_ms = end_ms
    pieces.append(_between(old, done_ms, span[1]))
    filled = [piece for piece in pieces if len(piece)] or pieces[:1]
    if len(filled) == 1:
        return filled[0]
    return CandleColumns(
        **{name: np.concatenate([piece[name] for piece in filled]) for name in COLUMN_TYPES}
    )


def _stretches(days: list[int]) -> Iterator[tuple[int, int]]:
    """Yield [start, end) of days that lie near each other; all in milliseconds."""
    first = last = None
    for day in days:
        if first is not None and last is not None and day - last > _NEAR_DAYS * DAY_MS:
            yield first, last + DAY_MS
            first = None
        first, last = day if first is None else first, day
    if first is not None and last is not None:
        yield first, last + DAY_MS


def _between(candles: CandleColumns, start_ms: int, end_ms: int) -> CandleColumns:
    first, end = np.searchsorted(candles.open_time_ms, (start_ms, end_ms))
    return candles[int(first) : int(end)]


def _arrays(candles: CandleColumns, units: Units) -> dict[str, Any]:
    minutes = MarketMinutes.of(candles, units)
    return {
        **{name: candles[name] for name in COLUMN_TYPES},
        **{name: getattr(minutes, name) for name in _TICKS},
    }


def _nothing() -> CandleColumns:
    return CandleColumns(**{name: np.empty(0, kind) for name, kind in COLUMN_TYPES.items()})


def _clipped(arrays: Mapping[str, Any], start_ms: int, end_ms: int) -> Mapping[str, Any]:
    first, end = np.searchsorted(arrays["open_time_ms"], (start_ms, end_ms))
    if first == 0 and end == len(arrays["open_time_ms"]):
        return arrays
    return {name: array[first:end] for name, array in arrays.items()}


def _joined(parts: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _start_of(year: int) -> int:
    return to_ms(datetime(year, 1, 1, tzinfo=UTC))
