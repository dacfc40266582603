"""The minutes of a run as it saw them, and as they are by now."""

from __future__ import annotations

from dataclasses import dataclass

from bots.models import BotRun, SeenMinute
from bots.storage.revisions import as_seen
from bots.storage.seen import candles_seen
from marketdata.domain.columns import CandleColumns
from marketdata.domain.timeframe import Timeframe
from marketdata.models import to_ms
from marketdata.storage import read_candles


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
    by_strategy, lost = as_seen(run.instrument_id, candles, candles_seen(run))
    by_run, lost_too = as_seen(run.instrument_id, traded, seen)
    return SeenMinutes(
        by_strategy=CandleColumns.of(by_strategy),
        by_run=CandleColumns.of(by_run),
        now=CandleColumns.of(candles),
        opened=frozenset(ms for ms, _, revision in seen if revision == SeenMinute.OPENED),
        gone=tuple(sorted({*lost, *lost_too})),
    )
