"""The minutes of one instrument, as a strategy sees them and as the kernel walks them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

import numpy as np

from backtests.domain.records import Flags, Integers
from backtests.domain.units import Units
from marketdata.domain.columns import CandleColumns
from marketdata.domain.records import InstrumentSpec


@dataclass(frozen=True, slots=True)
class Market:
    """What the engine must know of the instrument beside its candles.

    `minimum_size` is the smallest order, in the unit of sizes.
    """

    spec: InstrumentSpec
    minimum_size: Decimal
    is_margined: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class MarketMinutes:
    """1m candles as columns, their prices as ticks beside them, and whether they had volume."""

    candles: CandleColumns
    opens: Integers
    highs: Integers
    lows: Integers
    closes: Integers
    traded: Flags
    highest_tick: int

    @classmethod
    def of(cls, candles: CandleColumns, units: Units) -> Self:
        """Return the minutes of columns of 1m candles."""
        opens, _ = units.ticks(candles.open)
        highs, highest = units.ticks(candles.high)
        lows, _ = units.ticks(candles.low)
        closes, _ = units.ticks(candles.close)
        return cls(candles, opens, highs, lows, closes, traded_of(candles), highest)

    def __len__(self) -> int:
        return len(self.candles)

    def since(self, start_ms: int) -> Self:
        """Return the minutes that open at `start_ms` or later."""
        first = int(np.searchsorted(self.candles.open_time_ms, start_ms))
        return self if first == 0 else self._part(slice(first, None))

    def between(self, start_ms: int, end_ms: int) -> Self:
        """Return the minutes that open in [start, end)."""
        first, last = np.searchsorted(self.candles.open_time_ms, (start_ms, end_ms))
        return self._part(slice(int(first), int(last)))

    def _part(self, part: slice) -> Self:
        return type(self)(
            self.candles[part],
            self.opens[part],
            self.highs[part],
            self.lows[part],
            self.closes[part],
            self.traded[part],
            self.highest_tick,
        )


def traded_of(candles: CandleColumns) -> Flags:
    """Return which candles had volume."""
    # Imported at the first use: importing Numba takes longer than starting a web process.
    from backtests.domain.kernels.passes import to_traded

    traded = np.empty(len(candles), np.bool_)
    to_traded(candles.volume, traded)
    return traded
