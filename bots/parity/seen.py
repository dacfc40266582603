"""The minutes of a run as it saw them, and as they are by now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bots.models import BotRun, SeenMinute
from bots.storage.seen import candles_seen
from marketdata.domain.columns import CandleColumns
from marketdata.domain.records import Candles
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import CandleRevision, from_ms, to_ms
from marketdata.storage import read_candles

_FIGURES: Final = ("open", "high", "low", "close", "volume", "minutes", "source")

_Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class SeenMinutes:
    """1m candles from a run's anchor on.

    `by_strategy` are those its candles were made of, `by_run` those it traded through, from its
    start on, and `now` what is stored by now. `opened` are the minutes (open times) of which it saw
    the first trade and no candle, `gone` those of which it is not stored any more what it saw.
    """

    by_strategy: CandleColumns
    by_run: CandleColumns
    now: CandleColumns
    opened: frozenset[int]
    gone: tuple[int, ...]


def seen_minutes(run: BotRun, until_ms: int) -> SeenMinutes:
    """Return the minutes up to before `until_ms`."""
    candles = read_candles(run.instrument, Timeframe.M1, to_ms(run.anchor), until_ms)
    traded = candles[candles["open_time_ms"] >= to_ms(run.start)]
    seen = [
        (to_ms(open_time), 1, revision)
        for open_time, revision in run.seen.values_list("open_time", "revision")
    ]
    by_strategy, lost = _as_seen(run, candles, candles_seen(run))
    by_run, lost_too = _as_seen(run, traded, seen)
    return SeenMinutes(
        by_strategy=CandleColumns.of(by_strategy),
        by_run=CandleColumns.of(by_run),
        now=CandleColumns.of(candles),
        opened=frozenset(ms for ms, _, revision in seen if revision == SeenMinute.OPENED),
        gone=tuple(sorted({*lost, *lost_too})),
    )


def _as_seen(
    run: BotRun, candles: Candles, seen: Iterable[Sequence[int]]
) -> tuple[Candles, list[int]]:
    """Return candles at the revisions that were seen (the first unless told), and what is lost."""
    revisions = _revisions(candles["open_time_ms"], seen)
    candles = candles[revisions >= 0]
    revisions = revisions[revisions >= 0]
    return _walked_back(run, candles, revisions)


def _revisions(open_times: _Integers, seen: Iterable[Sequence[int]]) -> _Integers:
    revisions = np.zeros(len(open_times), np.int64)
    for first_ms, minutes, revision in seen:
        first, end = np.searchsorted(open_times, (first_ms, first_ms + minutes * MINUTE_MS))
        revisions[first:end] = revision
    return revisions


def _walked_back(run: BotRun, candles: Candles, revisions: _Integers) -> tuple[Candles, list[int]]:
    """Return candles with what they said at `revisions`, and the open times where that is lost."""
    places = np.flatnonzero(candles["revision"] != revisions)
    gone: list[int] = []
    if not len(places):
        return candles, gone
    candles, times = candles.copy(), candles["open_time_ms"]
    told = _told(run, int(times[places[0]]), int(times[places[-1]]))
    for place in places.tolist():
        figures = told.get((int(times[place]), int(revisions[place]) + 1))
        if figures is None:
            gone.append(int(times[place]))
            continue
        for name, value in zip(_FIGURES, figures, strict=True):
            candles[name][place] = value
    return candles, gone


def _told(run: BotRun, first_ms: int, last_ms: int) -> dict[tuple[int, int], tuple[Any, ...]]:
    """Return what minutes said before each of their revisions."""
    rows = CandleRevision.objects.filter(
        instrument_id=run.instrument_id,
        timeframe=Timeframe.M1.minutes,
        open_time__gte=from_ms(first_ms),
        open_time__lte=from_ms(last_ms),
        # A candle that was inserted said nothing before.
        open__isnull=False,
    ).values_list("open_time", "revision", *_FIGURES)
    return {(to_ms(open_time), revision): tuple(rest) for open_time, revision, *rest in rows}
