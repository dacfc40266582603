"""How whole every day of every instrument is, for a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import Instrument, to_ms
from marketdata.storage.beginnings import SPANS, Span
from marketdata.storage.bits import DAY_MINUTES
from marketdata.storage.counting import COUNTS, select_counts

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_EPOCH: Final = date(1970, 1, 1)

# One statement for the spans and the checks: the page is drawn with few of them.
_VERIFIED: Final = f"""
with span as ({SPANS})
select span.instrument_id, begin_ms, newest_ms,
    day - date '1970-01-01', bit_count(verified), bit_count(differs)
from span left join marketdata_candlecheck as checked
    on checked.instrument_id = span.instrument_id
    and day between date '1970-01-01' + %s and date '1970-01-01' + %s
"""  # noqa: S608

Grid = NDArray[np.int64]
"""A number for each instrument and day: shape (instruments, days)."""


class Cover(IntEnum):
    """What a day of 1m candles is, in one word."""

    NOTHING = 0
    """No minute of the day is to be expected: before the first one stored, or in the future."""

    MISSING = 1
    """A minute is missing or incomplete."""

    COMPLETE = 2
    """Every minute is there, most of those with trades built here and none changed since."""

    REPAIRED = 3
    """As COMPLETE, but some were changed or inserted later, or come from elsewhere."""

    EXCHANGE = 4
    """Every minute is there, most of those with trades as candles of the exchange."""

    IMPORTED = 5
    """Every minute is there, most of those with trades as imported candles."""

    FLAT = 6
    """Every minute is there, and none had a trade."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The days from `first_day` on, in columns, of `instrument_ids`, in rows.

    `counts` are minutes by name: those of `counting.COUNTS`, and `verified` and `differing`.
    """

    instrument_ids: tuple[int, ...]
    first_day: date
    covers: NDArray[np.int8]
    expected: Grid
    counts: dict[str, Grid]

    def share(self, name: str) -> NDArray[np.float64]:
        """Return a count as a share of the expected minutes; NaN where none are expected."""
        with np.errstate(invalid="ignore", divide="ignore"):
            share: NDArray[np.float64] = self.counts[name] / self.expected
        share[self.expected == 0] = np.nan
        return share


def coverage(
    instruments: Sequence[Instrument], start_day: date, end_day: date, now_ms: int
) -> Coverage:
    """Return what is stored of the UTC days from `start_day` to before `end_day`.

    Minutes are expected from an instrument's first stored one on, or the first one known to be
    missing, but not from before its listing; up to `now_ms`, a time of the exchange, or the last
    stored one of an instrument that is not collected any more. The number of statements does not
    depend on what is asked for.
    """
    ids = tuple(instrument.pk for instrument in instruments)
    first, stop = (start_day - _EPOCH).days, (end_day - _EPOCH).days
    shape = len(ids), max(0, stop - first)
    counts = {name: np.zeros(shape, dtype=np.int64) for name in (*COUNTS, "verified", "differing")}
    spans: dict[int, Span] = {}
    if all(shape):
        with connection.cursor() as cursor:
            spans = _fill(cursor, counts, ids, first, stop - 1)
    expected = _expected(instruments, spans, np.arange(first, first + shape[1]), now_ms)
    return Coverage(ids, start_day, _covers(counts, expected), expected, counts)


def _fill(
    cursor: CursorWrapper, counts: dict[str, Grid], ids: tuple[int, ...], first: int, last: int
) -> dict[int, Span]:
    """Fill the counts; return between which minutes each instrument has some to expect."""
    rows = {instrument_id: row for row, instrument_id in enumerate(ids)}
    days = select_counts(cursor, ids, Timeframe.M1, first, last)
    place = [rows[one] for one in days["instrument_id"].tolist()], days["day"] - first
    for name in COUNTS:
        counts[name][place] = days[name]
    cursor.execute(_VERIFIED, [list(ids), first, last])
    spans = {}
    for instrument_id, begin_ms, newest_ms, day, verified, differing in cursor.fetchall():
        if begin_ms is not None:
            spans[instrument_id] = Span(begin_ms, newest_ms + MINUTE_MS)
        if day is not None:
            counts["verified"][rows[instrument_id], day - first] = verified
            counts["differing"][rows[instrument_id], day - first] = differing
    return spans


def _expected(
    instruments: Sequence[Instrument], spans: dict[int, Span], days: Grid, now_ms: int
) -> Grid:
    edges = [_edges(instrument, spans.get(instrument.pk), now_ms) for instrument in instruments]
    first, stop = np.array(edges, dtype=np.int64).reshape(-1, 2).T[:, :, None]
    start = np.maximum(days * DAY_MINUTES, first)
    end = np.minimum((days + 1) * DAY_MINUTES, stop)
    expected: Grid = np.maximum(end - start, 0)
    return expected


def _edges(instrument: Instrument, span: Span | None, now_ms: int) -> tuple[int, int]:
    """Return the first minute that is expected of an instrument and the first that is not."""
    if span is None:
        return 0, 0
    listed_ms = to_ms(instrument.listed_at) if instrument.listed_at else 0
    end_ms = now_ms if instrument.is_enabled else min(now_ms, span.end_ms)
    return max(span.begin_ms // MINUTE_MS, -(-listed_ms // MINUTE_MS)), end_ms // MINUTE_MS


def _covers(counts: dict[str, Grid], expected: Grid) -> NDArray[np.int8]:
    trades, exchange, imported = (
        counts[name] for name in ("by_trades", "by_exchange", "by_import")
    )
    is_mended = (counts["revised"] > 0) | (exchange > 0) | (imported > 0)
    covers: NDArray[np.int8] = np.select(
        [
            expected == 0,
            counts["complete"] < expected,
            trades + exchange + imported == 0,
            (imported > trades) & (imported >= exchange),
            exchange > trades,
            is_mended,
        ],
        [
            Cover.NOTHING,
            Cover.MISSING,
            Cover.FLAT,
            Cover.IMPORTED,
            Cover.EXCHANGE,
            Cover.REPAIRED,
        ],
        Cover.COMPLETE,
    ).astype(np.int8)
    return covers
