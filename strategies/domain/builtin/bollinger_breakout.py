"""Bollinger bands: long when the price breaks out above, out when it is back at the middle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from strategies.domain.base import Floats
from strategies.domain.deciding import FLAT, LONG, SHORT, SIDES, IndicatorStrategy, chosen, exceeds
from strategies.domain.params import Real, Whole
from strategies.domain.uses import Use


class BollingerBreakout(IndicatorStrategy):
    """Long when a candle closes above the upper band, out when one closes below the middle.

    With both sides: short below the lower band; what is held ends at the middle only by the
    breakout on the other side.
    """

    key = "bollinger_breakout"
    title = "Bollinger breakout"
    source = "John Bollinger, Bollinger on Bollinger Bands, 2001, method I: volatility breakout"
    parameters = (
        Whole("period", "Period", 20, 2, 500, "Candles of average and deviation."),
        Real("deviations", "Deviations", 2.0, 0.1, 10.0, "Distance from the middle to the bands."),
        SIDES,
    )

    def uses(self) -> Sequence[Use]:
        bands = {"middle": "middle", "upper": "upper", "lower": "lower"}
        wanted = {name: self.params[name] for name in ("period", "deviations")}
        return (Use("bollinger", bands, wanted), Use("sma", {"close": "sma"}, {"period": 1}))

    def decide(self, values: Mapping[str, Floats]) -> Floats:
        close, middle = values["close"], values["middle"]
        rules = [(exceeds(close, values["upper"], close), LONG)]
        if self.out == SHORT:
            rules.append((exceeds(values["lower"], close, close), SHORT))
        else:
            rules.append((exceeds(middle, close, close), FLAT))
        return chosen(rules)
