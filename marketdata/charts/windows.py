"""A window of a chart: columns of candles and indicators over a stretch of time.

Where candles are missing the columns hold one row of NaN, so that no line is drawn across.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marketdata.charts.choices import Choice
from marketdata.charts.levels import Level, bin_candles, incomplete_times
from marketdata.domain.indicators import compute_all
from marketdata.domain.records import Candles

PRICE_COLUMNS: Final = ("open", "high", "low", "close", "volume")

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class ChartWindow:
    """What a chart draws of [start_ms, end_ms).

    `columns` are equally long: `time` (open times in milliseconds), the prices and the volume of
    the candles, and a column for each output of each indicator, NaN where it has no value.
    `gaps` are the stretches without candles, `incomplete` the open times of candles in which
    minutes are missing.
    """

    level: Level
    start_ms: int
    end_ms: int
    columns: Columns
    gaps: tuple[tuple[int, int], ...]
    incomplete: tuple[int, ...]


def build_window(
    candles: Candles, level: Level, start_ms: int, end_ms: int, choices: tuple[Choice, ...]
) -> ChartWindow:
    """Return the window over [start_ms, end_ms).

    `candles` are stored ones of `level.timeframe`; those before `start_ms` warm the indicators up
    and are left out of the window.
    """
    binned = bin_candles(candles, level)
    first = int(np.searchsorted(binned["open_time_ms"], start_ms))
    columns: Columns = {"time": binned["open_time_ms"][first:]}
    columns |= {name: binned[name][first:] for name in PRICE_COLUMNS}
    columns |= {
        name: values[first:] for name, values in _indicators(binned, level, choices).items()
    }
    incomplete = incomplete_times(candles, level)
    return ChartWindow(
        level,
        start_ms,
        end_ms,
        _broken_at_gaps(columns, level.ms),
        _gaps(columns["time"], level.ms),
        tuple(incomplete[incomplete >= start_ms].tolist()),
    )


def column_name(choice: Choice, output: str) -> str:
    """Return the name of the column of one output of one indicator: `macd:12:26:9.signal`."""
    return f"{choice.key}.{output}"


def _indicators(candles: Candles, level: Level, choices: tuple[Choice, ...]) -> Columns:
    wanted = [(choice.indicator, choice.parameters) for choice in choices]
    return {
        column_name(choice, output): values
        for choice, outputs in zip(
            choices, compute_all(wanted, candles, step_ms=level.ms), strict=True
        )
        for output, values in outputs.items()
    }


def _gaps(times: NDArray[np.int64], step_ms: int) -> tuple[tuple[int, int], ...]:
    (before,) = np.nonzero(np.diff(times) > step_ms)
    starts, ends = times[before] + step_ms, times[before + 1]
    return tuple(zip(starts.tolist(), ends.tolist(), strict=True))


def _broken_at_gaps(columns: Columns, step_ms: int) -> Columns:
    times = columns["time"]
    (before,) = np.nonzero(np.diff(times) > step_ms)
    return {
        name: np.insert(values, before + 1, times[before] + step_ms if name == "time" else np.nan)
        for name, values in columns.items()
    }
