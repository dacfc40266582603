"""The heat map of the Data page: how whole every day of every instrument is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
from django.db.models import Exists, Min, OuterRef, Q
from numpy.typing import NDArray

from marketdata.domain.timeframe import DAY_MS, Timeframe
from marketdata.models import CandleDay, Instrument, from_ms
from marketdata.storage import Cover, Coverage, coverage
from marketdata.storage.clocks import due_until_ms

RANGES: Final[Mapping[str, int | None]] = {"30d": 30, "90d": 90, "1y": 365, "all": None}
"""What may be chosen, in days; None is from the first stored day on."""

FIRST_RANGE: Final = "90d"

_MOST_ROWS: Final = 200


@dataclass(frozen=True, slots=True)
class Kind:
    """What a cell may be: a letter in the answer, a word, and what it means."""

    letter: str
    word: str
    meaning: str


KINDS: Final = {
    Cover.COMPLETE: Kind("c", "Complete", "every minute is there, built here from trades"),
    Cover.REPAIRED: Kind(
        "r", "Repaired", "every minute is there; some came later, or from the exchange"
    ),
    Cover.EXCHANGE: Kind(
        "e", "Exchange candles", "every minute is there, most as candles of the exchange"
    ),
    Cover.IMPORTED: Kind("i", "Imported", "every minute is there, most from an imported file"),
    Cover.FLAT: Kind("f", "Flat", "every minute is there, and none had a trade"),
    Cover.MISSING: Kind("m", "Missing", "minutes are missing or incomplete"),
    Cover.NOTHING: Kind("n", "Nothing", "not collected, not loaded, or not yet traded"),
}
"""In the order of the legend."""

_LETTERS: Final = np.array([KINDS[cover].letter for cover in Cover])


@dataclass(frozen=True, slots=True)
class Row:
    """One instrument: a letter for each day, and its shares; None where nothing is expected."""

    symbol: str
    is_enabled: bool
    states: str
    missing: dict[str, int]
    days: dict[str, int]
    complete_share: float | None
    verified_share: float | None
    differing: int


def heatmap(exchange: str, range_name: str) -> dict[str, Any]:
    """Return the rows of all instruments of `exchange` of which something is or should be stored.

    `missing` has minutes by the number of the day. The number of statements does not depend on
    how many instruments and days there are.
    """
    now_ms = due_until_ms(exchange)
    instruments = _instruments(exchange)
    end_day = from_ms(now_ms).date() + timedelta(days=1)
    start_day = _start_day(RANGES[range_name], end_day, instruments)
    found = coverage(instruments, start_day, end_day, now_ms)
    return {
        "exchange": exchange,
        "range": range_name,
        "first_ms": _day_number(start_day) * DAY_MS,
        "days": (end_day - start_day).days,
        "rows": [asdict(row) for row in _rows(instruments, found)],
    }


def legend() -> list[Kind]:
    """Return every kind of cell, in the order in which they are explained."""
    return list(KINDS.values())


def _instruments(exchange: str) -> list[Instrument]:
    days = CandleDay.objects.filter(instrument=OuterRef("pk"), timeframe=Timeframe.M1.minutes)
    found = Instrument.objects.filter(Q(is_enabled=True) | Exists(days), exchange=exchange)
    return list(found.order_by("-is_enabled", "symbol")[:_MOST_ROWS])


def _start_day(days: int | None, end_day: date, instruments: Sequence[Instrument]) -> date:
    """Return the first day to show; of all days the first one of which candles are stored."""
    if days is not None:
        return end_day - timedelta(days=days)
    stored = CandleDay.objects.filter(instrument__in=instruments, timeframe=Timeframe.M1.minutes)
    first: date | None = stored.aggregate(first=Min("day"))["first"]
    return first or end_day - timedelta(days=1)


def _rows(instruments: Sequence[Instrument], found: Coverage) -> list[Row]:
    missing = np.maximum(found.expected - found.counts["complete"], 0)
    return [
        _row(instrument, found, missing[place], place)
        for place, instrument in enumerate(instruments)
    ]


def _row(instrument: Instrument, found: Coverage, missing: NDArray[np.int64], place: int) -> Row:
    counts = {name: int(values[place].sum()) for name, values in found.counts.items()}
    holes = np.flatnonzero(missing)
    covers = _LETTERS[found.covers[place]]
    letters, numbers = np.unique(covers, return_counts=True)
    expected = int(found.expected[place].sum())
    return Row(
        symbol=instrument.symbol,
        is_enabled=instrument.is_enabled,
        states="".join(covers.tolist()),
        missing=dict(zip(map(str, holes.tolist()), missing[holes].tolist(), strict=True)),
        days=dict(zip(letters.tolist(), numbers.tolist(), strict=True)),
        complete_share=share(expected - int(missing.sum()), expected),
        verified_share=share(counts["verified"], counts["by_trades"] + counts["flat"]),
        differing=counts["differing"],
    )


def share(part: int, whole: int) -> float | None:
    """Return a part of a whole; None where there is no whole."""
    return part / whole if whole else None


def _day_number(day: date) -> int:
    return (day - date(1970, 1, 1)).days
