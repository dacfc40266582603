"""Strategies that decide for many parameter sets in one pass over the candles."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.errors import InvalidCandles
from marketdata.domain.indicators import segments
from marketdata.domain.series import Series
from strategies.domain.base import BaseStrategy

Codes = NDArray[np.int8]
"""Decisions by number: one of the three below at each candle."""

NOTHING: Final = 0
"""No decision, as NaN among targets."""
ABOVE: Final = 1
BELOW: Final = 2


class LaneStrategy(BaseStrategy):
    """A strategy whose parameter sets can be walked side by side."""

    @property
    @abstractmethod
    def lane_targets(self) -> tuple[float, float]:
        """The targets that ABOVE and BELOW stand for."""

    @classmethod
    @abstractmethod
    def process_lanes(
        cls, strategies: Sequence[Self], candles: Series, starts: Sequence[int]
    ) -> Codes:
        """Return a row of codes for each of `strategies`, as long as `candles`.

        From its start on a row says what `process_data` does over the candles from that start, to
        the last bit; before it there is no decision.
        """


def crossing_lanes(
    candles: Series, pairs: Sequence[tuple[int, int]], starts: Sequence[int]
) -> Codes:
    """Return a row of codes for each pair of periods of two exponential averages of the close.

    ABOVE where the first is above the second, as `side` tells. Raises InvalidCandles.
    """
    # Imported at the first use: importing Numba takes longer than starting a web process.
    from strategies.domain.kernels.crossing import crossings

    return _walked(crossings, candles, pairs, starts)


def signal_lanes(
    candles: Series, periods: Sequence[tuple[int, int, int]], starts: Sequence[int]
) -> Codes:
    """Return a row of codes for each fast, slow and signal period of MACD.

    ABOVE where the line is above its signal, as `side` tells. Raises InvalidCandles.
    """
    from strategies.domain.kernels.signal_crossing import signal_crossings

    return _walked(signal_crossings, candles, periods, starts)


def reversal_lanes(
    candles: Series, levels: Sequence[tuple[int, float, float]], starts: Sequence[int]
) -> Codes:
    """Return a row of codes for each period, low and high level of the relative strength.

    ABOVE where the price moves and the strength is below the low level, BELOW where it is above the
    high one. Raises InvalidCandles.
    """
    from strategies.domain.kernels.reversal import reversals

    return _walked(reversals, candles, levels, starts)


def _walked(
    kernel: Callable[..., None],
    candles: Series,
    sets: Sequence[tuple[float, ...]],
    starts: Sequence[int],
) -> Codes:
    """Return the codes that a kernel writes for sets of parameters, LANES of them at a time."""
    from strategies.domain.kernels.crossing import LANES

    closes = candles.close
    if not np.isfinite(closes).all():
        raise InvalidCandles("expected finite numbers as close; one is not")
    walked = segments(candles.open_times, candles.timeframe.ms)
    # The last lanes repeat the last set where there are fewer sets than lanes.
    rows = -(-len(sets) // LANES) * LANES
    columns = [
        np.array([*column, *[column[-1]] * (rows - len(sets))])
        for column in (starts, *zip(*sets, strict=True))
    ]
    codes = np.zeros((rows, len(closes)), np.int8)
    for first in range(0, rows, LANES):
        lanes = slice(first, first + LANES)
        given = [column[lanes] for column in columns]
        for stretch in walked:
            kernel(closes, stretch.start, stretch.end, *given, codes[lanes])
    return codes[: len(sets)]
