"""Chart windows out of storage."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
from django.db import connection

from marketdata.charts.choices import Choice, choices_text
from marketdata.charts.levels import Level
from marketdata.charts.windows import ChartWindow, build_window
from marketdata.domain.records import Candles
from marketdata.domain.timeframe import Timeframe
from marketdata.models import Instrument
from marketdata.storage import day_versions, read_candles, read_last_candles
from marketdata.storage.candles import select_bounds


def load_window(
    instrument: Instrument, level: Level, start_ms: int, end_ms: int, choices: tuple[Choice, ...]
) -> ChartWindow:
    """Return the window of whole candles that touch [start_ms, end_ms), indicators warmed up."""
    start_ms, end_ms = level.whole(start_ms, end_ms)
    warmup = _warmup_candles(level, choices)
    candles = _read_with_warmup(instrument, level, start_ms, end_ms, warmup)
    return build_window(candles, level, start_ms, end_ms, choices)


def stored_stretch(instrument: Instrument, timeframe: Timeframe) -> tuple[int, int] | None:
    """Return the first open time and the last close time that are stored; None for no candles."""
    with connection.cursor() as cursor:
        bounds = select_bounds(cursor, instrument.pk, timeframe)
    if bounds.oldest_ms is None or bounds.newest_ms is None:
        return None
    return bounds.oldest_ms, timeframe.close_time(bounds.newest_ms)


def window_tag(
    instrument: Instrument, level: Level, start_ms: int, end_ms: int, choices: tuple[Choice, ...]
) -> str:
    """Return the ETag of a window: it changes when any of its candles does.

    Candles so far back that only a hole in the warm-up reaches them are not covered.
    """
    warmup_ms = _warmup_candles(level, choices) * level.timeframe.ms
    first_ms, last_ms = level.whole(start_ms, end_ms)
    versions = day_versions(instrument, level.timeframe, max(first_ms - warmup_ms, 0), last_ms)
    key = (instrument.pk, level.name, start_ms, end_ms, choices_text(choices), *versions.items())
    return f'"{blake2b(repr(key).encode(), digest_size=12).hexdigest()}"'


def window_payload(window: ChartWindow, asked: str) -> dict[str, Any]:
    """Return what the browser is sent of `window`; `asked` is the timeframe the person chose."""
    return {
        "timeframe": window.level.name,
        "stored": window.level.timeframe.value,
        "is_auto": window.level.name != asked,
        "step_ms": window.level.ms,
        "start_ms": window.start_ms,
        "end_ms": window.end_ms,
        "columns": {name: np.ascontiguousarray(values) for name, values in window.columns.items()},
        "gaps": window.gaps,
        "incomplete": window.incomplete,
    }


def _warmup_candles(level: Level, choices: tuple[Choice, ...]) -> int:
    return max((choice.settling(level.ms) for choice in choices), default=0) * level.days


def _read_with_warmup(
    instrument: Instrument, level: Level, start_ms: int, end_ms: int, warmup: int
) -> Candles:
    reach_ms = max(start_ms - warmup * level.timeframe.ms, 0)
    candles = read_candles(instrument, level.timeframe, reach_ms, end_ms)
    missing = warmup - int(np.searchsorted(candles["open_time_ms"], start_ms))
    if missing <= 0:
        return candles
    # Candles are missing in the warm-up, or history begins in it: reach back by number.
    earlier = read_last_candles(instrument, level.timeframe, missing, before_ms=reach_ms)
    return np.concatenate([earlier, candles])
