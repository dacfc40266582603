"""The indicators that a strategy looks at: over a whole series, or from one candle to the next.

Both ways give the same bits. What is computed on a longer timeframe is joined by the time at which
its candles close, and what is looked at a candle late is not carried over a gap that is too long
for indicators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
        together = [use for use in uses if use.timeframe == timeframe]
        if timeframe is None:
            found |= _computed(together, candles)
        else:
            longer = candles.higher(timeframe)
            found |= _aligned(candles, longer, _computed(together, longer))
    return {name: found[name] for use in uses for name in use.names}


def _computed(uses: Sequence[Use], series: Series) -> dict[str, Floats]:
    step_ms = series.timeframe.ms
    outputs = compute_all(
        [(use.indicator, use.params) for use in uses], series.rows, step_ms=step_ms
    )
    restarts: list[int] = []
    if any(use.is_before for use in uses):
        walked = segments(series.open_times, step_ms)
        restarts = [start for start, _, is_new in walked if is_new]
    return {
        name: _before(made[output], restarts) if use.is_before else made[output]
        for use, made in zip(uses, outputs, strict=True)
        for name, output in use.names.items()
    }


def _before(values: Floats, restarts: Sequence[int]) -> Floats:
    """Return the value of the candle before each; NaN for the first, and behind a long gap."""
    shifted = np.empty(len(values))
    shifted[1:] = values[:-1]
    for start in restarts:
        shifted[start] = np.nan
    return shifted


def _aligned(candles: Series, longer: Series, values: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return what `Series.align` does for each, with one search for all."""
    places = candles.align(longer, np.arange(len(longer), dtype=np.float64))
    is_known = ~np.isnan(places)
    indices = places[is_known].astype(np.intp)
    found: dict[str, Floats] = {}
    for name, column in values.items():
        found[name] = np.full(len(candles), np.nan)
        found[name][is_known] = column[indices]
    return found


def is_after_long_gap(last_open_ms: int | None, open_ms: int, step_ms: int) -> bool:
    """Return whether indicators begin anew with a candle, as they do with the first."""
    return last_open_ms is None or open_ms - last_open_ms > (LONGEST_GAP + 1) * step_ms
