"""MACD and its signal: long while the line is above the average of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from strategies.domain.base import Floats
from strategies.domain.deciding import SIDES, side
from strategies.domain.lanes import LaneKernel, LaneStrategy
from strategies.domain.params import Whole, not_below
from strategies.domain.uses import Use


class Macd(LaneStrategy):
    """Long while MACD is above its signal line, out while it is below.

    Nothing is decided where they are equal.
    """

    key = "macd"
    title = "MACD"
    source = "Gerald Appel, The Moving Average Convergence-Divergence Trading Method, 1979"
    parameters = (
        Whole("fast", "Fast period", 12, 1, 200, "Candles of the quick average, below the slow."),
        Whole("slow", "Slow period", 26, 2, 400, "Candles of the slow average."),
        Whole("signal", "Signal period", 9, 1, 200, "Values of MACD that the signal averages."),
        SIDES,
    )
    lane_parameters = ("fast", "slow", "signal")

    def contradictions(self) -> Mapping[str, str]:
        return not_below(self.params, "fast", "slow")

    def uses(self) -> Sequence[Use]:
        periods = {name: self.params[name] for name in ("fast", "slow", "signal")}
        lines = {"macd": "macd", "signal": "signal", "histogram": "histogram"}
        # The price says how large the rounding of a difference of averages can be.
        return (Use("macd", lines, periods), Use("sma", {"close": "sma"}, {"period": 1}))

    def decide(self, values: Mapping[str, Floats]) -> Floats:
        line, signal, price = values["macd"], values["signal"], values["close"]
        return side(line, signal, price, below=self.out)

    @staticmethod
    def lane_kernel() -> LaneKernel:
        from strategies.domain.kernels.signal_crossing import signal_crossings

        return signal_crossings
