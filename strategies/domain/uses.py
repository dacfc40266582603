"""The indicators that a strategy looks at: over a whole series, or from one candle to the next.

Both ways give the same bits. What is computed on a longer timeframe is joined by the time at which
its candles close, and what is looked at a candle late is not carried over a gap that is too long
for indicators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from marketdata.domain.indicators import LONGEST_GAP, compute_all, find_indicator, segments
from marketdata.domain.indicators.base import Floats, Indicator
from marketdata.domain.series import Series
from marketdata.domain.timeframe import Timeframe


@dataclass(frozen=True, slots=True)
class Use:
    """One indicator with its parameters; `names` maps our names to its outputs.

    `timeframe` is a longer one than the strategy's, None for the same. With `is_before` the values
    are those of the candle before.
    """

    key: str
    names: Mapping[str, str]
    params: Mapping[str, float] = field(default_factory=dict)
    timeframe: Timeframe | None = None
    is_before: bool = False

    @property
    def indicator(self) -> Indicator:
        """The entry of the registry."""
        return find_indicator(self.key)

    def settling(self, timeframe: Timeframe) -> int:
        """Return how many candles of `timeframe` before one make the values what they are."""
        own = self.timeframe or timeframe
        candles = self.indicator.settling(self.params, own.ms) + self.is_before
        if self.timeframe is None:
            return candles
        # The longer candle at each end may be cut by the window.
        return (candles + 2) * (own.minutes // timeframe.minutes)


def values_of(uses: Sequence[Use], candles: Series) -> dict[str, Floats]:
    """Return the values of all uses by name, each as long as `candles`."""
    found: dict[str, Floats] = {}
    for timeframe in dict.fromkeys(use.timeframe for use in uses):
        series = candles if timeframe is None else candles.higher(timeframe)
        together = [use for use in uses if use.timeframe == timeframe]
        for name, values in _computed(together, series).items():
            found[name] = values if timeframe is None else candles.align(series, values)
    return {name: found[name] for use in uses for name in use.names}


def _computed(uses: Sequence[Use], series: Series) -> dict[str, Floats]:
    outputs = compute_all(
        [(use.indicator, use.params) for use in uses], series.rows, step_ms=series.timeframe.ms
    )
    return {
        name: before(series, made[output]) if use.is_before else made[output]
        for use, made in zip(uses, outputs, strict=True)
        for name, output in use.names.items()
    }


def before(candles: Series, values: Floats) -> Floats:
    """Return the value of the candle before each; NaN for the first, and behind a long gap."""
    shifted = np.full(len(values), np.nan)
    shifted[1:] = values[:-1]
    for start, _, is_new in segments(candles.open_times, candles.timeframe.ms):
        if is_new:
            shifted[start] = np.nan
    return shifted


def is_after_long_gap(last_open_ms: int | None, open_ms: int, step_ms: int) -> bool:
    """Return whether indicators begin anew with a candle, as they do with the first."""
    return last_open_ms is None or open_ms - last_open_ms > (LONGEST_GAP + 1) * step_ms


def columns_of(candles: Series, names: Sequence[str]) -> dict[str, Any]:
    """Return the named columns of candles with their open times."""
    return {name: candles.rows[name] for name in {*names, "open_time_ms"}}
