"""Closed candles of one instrument and timeframe as columns: what strategies look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.columns import CandleColumns
from marketdata.domain.indicators import LONGEST_GAP, compute, find_indicator
from marketdata.domain.records import Candles, InstrumentSpec, Source
from marketdata.domain.timeframe import Timeframe

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Closed candles in order of time; every column is as long as the others.

    `rows` are the candles, an array of them or columns, and `spec` is their instrument's. Long
    series are columns: of an array each look at a column copies it.
    """

    timeframe: Timeframe
    spec: InstrumentSpec
    rows: Candles | CandleColumns

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def open_times(self) -> NDArray[np.int64]:
        """Open times, UTC milliseconds."""
        return self._column("open_time_ms")

    @property
    def close_times(self) -> NDArray[np.int64]:
        """When each candle was over, UTC milliseconds: what decisions are keyed by."""
        return self.open_times + self.timeframe.ms

    @property
    def open(self) -> Floats:
        return self._column("open")

    @property
    def high(self) -> Floats:
        return self._column("high")

    @property
    def low(self) -> Floats:
        return self._column("low")

    @property
    def close(self) -> Floats:
        return self._column("close")

    @property
    def volume(self) -> Floats:
        """Base currency."""
        return self._column("volume")

    @property
    def is_flat(self) -> NDArray[np.bool_]:
        """Whether nothing was traded: the candle repeats the close before it."""
        flat: NDArray[np.bool_] = self.rows["source"] == Source.FLAT
        return flat

    @property
    def is_complete(self) -> NDArray[np.bool_]:
        """Whether every minute of the candle is present."""
        whole: NDArray[np.bool_] = self.rows["minutes"] == self.timeframe.minutes
        return whole

    def first(self, count: int) -> Series:
        """Return the first `count` candles: what was known when the last of them closed."""
        return Series(self.timeframe, self.spec, self.rows[:count])

    def indicator(
        self, key: str, *, longest_gap: int = LONGEST_GAP, **params: float
    ) -> dict[str, Floats]:
        """Return the outputs of an indicator by name, NaN while it warms up.

        Raises InvalidIndicator for an unknown one or wrong parameters.
        """
        step_ms = self.timeframe.ms
        found = find_indicator(key)
        return compute(found, self.rows, params, step_ms=step_ms, longest_gap=longest_gap)

    def higher(self, timeframe: Timeframe | str) -> Series:
        """Return the closed, complete candles of a longer timeframe that these ones make.

        Bring what is computed from them back with `align`. Raises ValueError for a timeframe
        that is not longer.
        """
        longer = Timeframe(timeframe)
        if longer.ms <= self.timeframe.ms:
            raise ValueError(f"expected a timeframe above {self.timeframe}; was {longer}")
        rows = self.rows if isinstance(self.rows, CandleColumns) else CandleColumns.of(self.rows)
        return Series(longer, self.spec, rows.resampled(longer, self.spec))

    def align(self, longer: Series, values: Floats) -> Floats:
        """Return `values` of `longer` candles for these: the newest that was closed by then.

        NaN before the first. Joined on close time, so nothing of an unfinished candle is seen.
        """
        places = np.searchsorted(longer.close_times, self.close_times, side="right") - 1
        aligned: Floats = np.full(len(self), np.nan)
        known = places >= 0
        aligned[known] = values[places[known]]
        return aligned

    def _column(self, name: str) -> NDArray[Any]:
        return np.ascontiguousarray(self.rows[name])
