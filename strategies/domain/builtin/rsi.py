"""Relative strength: long when the price has fallen too far, out when it has risen too far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from strategies.domain.base import Floats
from strategies.domain.deciding import LONG, SIDES, chosen
from strategies.domain.lanes import LaneKernel, LaneStrategy
from strategies.domain.params import Real, Whole, not_below
from strategies.domain.uses import Use


class Rsi(LaneStrategy):
    """Long when RSI is below the oversold level, out when it is above the overbought one.

    In between what is held stays, and while the price rests nothing is decided: RSI says
    nothing new then.
    """

    key = "rsi"
    title = "RSI reversal"
    source = "J. Welles Wilder, New Concepts in Technical Trading Systems, 1978"
    parameters = (
        Whole("period", "Period", 14, 2, 200, "Wilder's period of both averages."),
        Real("oversold", "Oversold", 30.0, 1.0, 99.0, "Below it: long."),
        Real("overbought", "Overbought", 70.0, 1.0, 99.0, "Above it: out."),
        SIDES,
    )
    lane_parameters = ("period", "oversold", "overbought")

    def contradictions(self) -> Mapping[str, str]:
        return not_below(self.params, "oversold", "overbought")

    def uses(self) -> Sequence[Use]:
        return (
            Use("rsi", {"rsi": "rsi"}, {"period": self.params["period"]}),
            Use("roc", {"change": "roc"}, {"period": 1}),
        )

    def decide(self, values: Mapping[str, Floats]) -> Floats:
        rsi, has_moved = values["rsi"], values["change"] != 0
        return chosen(
            [
                (has_moved & (rsi < self.params["oversold"]), LONG),
                (has_moved & (rsi > self.params["overbought"]), self.out),
            ]
        )

    @staticmethod
    def lane_kernel() -> LaneKernel:
        from strategies.domain.kernels.reversal import reversals

        return reversals
