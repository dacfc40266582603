"""Two exponential averages: long while the fast one is above the slow one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from strategies.domain.base import Floats
from strategies.domain.deciding import SIDES, side
from strategies.domain.lanes import LaneKernel, LaneStrategy
from strategies.domain.params import Whole, not_below
from strategies.domain.uses import Use


class EmaCrossover(LaneStrategy):
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
    lane_parameters = ("fast", "slow")

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

    @staticmethod
    def lane_kernel() -> LaneKernel:
        from strategies.domain.kernels.crossing import crossings

        return crossings
