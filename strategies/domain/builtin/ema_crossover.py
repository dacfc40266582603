"""Two exponential averages: long while the fast one is above the slow one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

from marketdata.domain.series import Series
from strategies.domain.base import Floats
from strategies.domain.deciding import LONG, SIDES, IndicatorStrategy, side
from strategies.domain.lanes import Codes, LaneStrategy, crossing_lanes
from strategies.domain.params import Whole, not_below
from strategies.domain.uses import Use


class EmaCrossover(IndicatorStrategy, LaneStrategy):
    """Long while the fast average is above the slow one, out while it is below.

    Nothing is decided where they are equal.
    """

    key = "ema_crossover"
    title = "EMA crossover"
    source = (
        "Richard Donchian's two moving averages (5- and 20-day method, 1960), with exponential ones"
    )
    parameters = (
        Whole("fast", "Fast period", 12, 1, 400, "Candles of the quick average, below the slow."),
        Whole("slow", "Slow period", 26, 2, 500, "Candles of the slow average."),
        SIDES,
    )

    def contradictions(self) -> Mapping[str, str]:
        return not_below(self.params, "fast", "slow")

    def uses(self) -> Sequence[Use]:
        return (
            Use("ema", {"fast": "ema"}, {"period": self.params["fast"]}),
            Use("ema", {"slow": "ema"}, {"period": self.params["slow"]}),
        )

    def decide(self, values: Mapping[str, Floats]) -> Floats:
        fast, slow = values["fast"], values["slow"]
        return side(fast, slow, slow, below=self.out)

    @property
    def lane_targets(self) -> tuple[float, float]:
        return LONG, self.out

    @classmethod
    def process_lanes(
        cls, strategies: Sequence[Self], candles: Series, starts: Sequence[int]
    ) -> Codes:
        pairs = [(one.params["fast"], one.params["slow"]) for one in strategies]
        return crossing_lanes(candles, pairs, starts)
