"""Closed candles as contiguous columns: what long computations read, a cache line at a time."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final, Self, overload

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.decimals import Units, decimals_of, group_sums, to_floats, to_units
from marketdata.domain.minutes import group_starts
from marketdata.domain.records import Candles, InstrumentSpec, Source
from marketdata.domain.timeframe import Timeframe

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Shorts = NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class CandleColumns:
    """Closed candles of one instrument and timeframe, in order of open time, as columns.

    They are looked up like an array of candles: by the name of a column, by a slice,
    or by the number of a candle.
    """

    open_time_ms: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    minutes: Shorts
    source: Shorts

    @classmethod
    def of(cls, candles: Candles) -> Self:
        """Return the columns of an array of candles, copied."""
        return cls(*(np.ascontiguousarray(candles[name]) for name in COLUMN_TYPES))

    def __len__(self) -> int:
        return len(self.open_time_ms)

    @overload
    def __getitem__(self, key: str) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, key: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, key: slice | NDArray[np.bool_]) -> Self: ...

    def __getitem__(self, key: str | int | slice | NDArray[np.bool_]) -> Any:
        if isinstance(key, str):
            return getattr(self, key)
        values = {name: getattr(self, name)[key] for name in COLUMN_TYPES}
        return values if isinstance(key, int) else type(self)(**values)

    def resampled(self, timeframe: Timeframe, spec: InstrumentSpec) -> Self:
        """Return the complete candles of `timeframe` that these 1m candles make.

        They have the bits of the stored ones: see `resampling.resample`.
        """
        if not len(self):
            return self
        window = self.open_time_ms // timeframe.ms
        starts = group_starts(window)
        ends = np.append(starts[1:], len(self)) - 1
        decimals = decimals_of(spec.lot_size) + decimals_of(spec.contract_value)
        volume = to_units(self.volume, decimals)
        sums = group_sums(volume.values, starts)
        made = type(self)(
            open_time_ms=window[starts] * timeframe.ms,
            open=self.open[starts],
            high=np.maximum.reduceat(self.high, starts),
            low=np.minimum.reduceat(self.low, starts),
            close=self.close[ends],
            volume=to_floats(Units(sums, volume.decimals)),
            minutes=np.add.reduceat(self.minutes, starts, dtype=np.int16),
            source=_worst(self.source, starts),
        )
        is_whole: NDArray[np.bool_] = made.minutes == timeframe.minutes
        return made[is_whole]


COLUMN_TYPES: Final[dict[str, np.dtype[Any]]] = {
    field.name: np.dtype(kind)
    for field, kind in zip(
        fields(CandleColumns),
        (np.int64, *[np.float64] * 5, np.int16, np.int16),
        strict=True,
    )
}
"""The columns in their order, with what each holds."""


def _worst(source: Shorts, starts: NDArray[np.intp]) -> Shorts:
    worst = np.maximum.reduceat(np.where(source == Source.FLAT, -1, source), starts)
    return np.where(worst < 0, int(Source.FLAT), worst).astype(np.int16)
