"""Minutes as they were seen: what candles that changed since said before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.records import Candles
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import CandleRevision, from_ms, to_ms

_FIGURES: Final = ("open", "high", "low", "close", "volume", "minutes", "source")

_Integers = NDArray[np.int64]


def as_seen(
    instrument_id: int, candles: Candles, seen: Iterable[Sequence[int]]
) -> tuple[Candles, list[int]]:
    """Return stored 1m candles at the revisions that were seen: the first one unless told.

    `seen` are [first open time in ms, minutes, revision]; minutes of a negative one are left out.
    The second result are the open times of those of which it is not stored any more what they
    said; they are returned as they are by now.
    """
    revisions = _revisions(candles["open_time_ms"], seen)
    candles = candles[revisions >= 0]
    revisions = revisions[revisions >= 0]
    places = np.flatnonzero(candles["revision"] != revisions)
    return _walked_back(instrument_id, candles, revisions, places) if len(places) else (candles, [])


def _revisions(open_times: _Integers, seen: Iterable[Sequence[int]]) -> _Integers:
    revisions = np.zeros(len(open_times), np.int64)
    for first_ms, minutes, revision in seen:
        first, end = np.searchsorted(open_times, (first_ms, first_ms + minutes * MINUTE_MS))
        revisions[first:end] = revision
    return revisions


def _walked_back(
    instrument_id: int, candles: Candles, revisions: _Integers, places: NDArray[np.intp]
) -> tuple[Candles, list[int]]:
    candles, times, gone = candles.copy(), candles["open_time_ms"], []
    told = _told(instrument_id, int(times[places[0]]), int(times[places[-1]]))
    for place in places.tolist():
        # What a revision changed is kept with it: it is what the one before said.
        figures = told.get((int(times[place]), int(revisions[place]) + 1))
        if figures is None:
            gone.append(int(times[place]))
            continue
        for name, value in zip(_FIGURES, figures, strict=True):
            candles[name][place] = value
    return candles, gone


def _told(
    instrument_id: int, first_ms: int, last_ms: int
) -> dict[tuple[int, int], tuple[Any, ...]]:
    """Return what minutes said before each of their revisions."""
    rows = CandleRevision.objects.filter(
        instrument_id=instrument_id,
        timeframe=Timeframe.M1.minutes,
        open_time__gte=from_ms(first_ms),
        open_time__lte=from_ms(last_ms),
        # A candle that was inserted said nothing before.
        open__isnull=False,
    ).values_list("open_time", "revision", *_FIGURES)
    return {(to_ms(open_time), revision): tuple(rest) for open_time, revision, *rest in rows}
