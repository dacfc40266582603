"""Strategies that decide for many parameter sets in one pass over the candles."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
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
    from strategies.domain.kernels.crossing import LANES, crossings

    closes = candles.close
    if not np.isfinite(closes).all():
        raise InvalidCandles("expected finite numbers as close; one is not")
    walked = segments(candles.open_times, candles.timeframe.ms)
    # The last lanes repeat the last pair where there are fewer pairs than lanes.
    rows = -(-len(pairs) // LANES) * LANES
    columns = [
        np.array([*column, *[column[-1]] * (rows - len(pairs))], np.int64)
        for column in (starts, *zip(*pairs, strict=True))
    ]
    codes = np.zeros((rows, len(closes)), np.int8)
    for first in range(0, rows, LANES):
        lanes = slice(first, first + LANES)
        begun, fast, slow = (column[lanes] for column in columns)
        for stretch in walked:
            crossings(closes, stretch.start, stretch.end, begun, fast, slow, codes[lanes])
    return codes[: len(pairs)]
