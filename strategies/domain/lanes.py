"""Strategies that decide for many parameter sets in one pass over the candles."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.errors import InvalidCandles
from marketdata.domain.indicators import segments
from marketdata.domain.series import Series
from strategies.domain.deciding import LONG, IndicatorStrategy

Codes = NDArray[np.int8]
"""Decisions by number: one of the three below at each candle."""

NOTHING: Final = 0
"""No decision, as NaN among targets."""
ABOVE: Final = 1
BELOW: Final = 2


LaneKernel = Callable[..., None]
"""Called as `kernel(closes, first, end, starts, *parameters, codes)`: writes the codes of the
stretch `closes[first:end]` for `kernels.lanes.LANES` sets, of which `starts`, each of the
parameters and `codes` have a row."""


class LaneStrategy(IndicatorStrategy):
    """A strategy whose parameter sets can be walked side by side."""

    lane_parameters: ClassVar[tuple[str, ...]]
    """What its kernel takes of each set, in this order."""

    @staticmethod
    @abstractmethod
    def lane_kernel() -> LaneKernel:
        """Return its kernel, imported at the first use: importing Numba takes its time."""

    @property
    def lane_targets(self) -> tuple[float, float]:
        """The targets that ABOVE and BELOW stand for."""
        return LONG, self.out

    @classmethod
    def process_lanes(
        cls, strategies: Sequence[Self], candles: Series, starts: Sequence[int]
    ) -> Codes:
        """Return a row of codes for each of `strategies`, as long as `candles`.

        From its start on a row says what `process_data` does over the candles from that start, to
        the last bit; before it there is no decision. Raises InvalidCandles.
        """
        sets = [tuple(one.params[name] for name in cls.lane_parameters) for one in strategies]
        return _walked(cls.lane_kernel(), candles, sets, starts)


def _walked(
    kernel: LaneKernel,
    candles: Series,
    sets: Sequence[tuple[float, ...]],
    starts: Sequence[int],
) -> Codes:
    """Return the codes that a kernel writes for sets of parameters, LANES of them at a time."""
    from strategies.domain.kernels.lanes import LANES

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
