"""Two timeframes: crossovers, taken only in the direction of the longer timeframe's average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from marketdata.domain.timeframe import HIGHER_TIMEFRAMES, Timeframe
from strategies.domain.base import Floats
from strategies.domain.deciding import (
    FLAT,
    LONG,
    SHORT,
    SIDES,
    IndicatorStrategy,
    chosen,
    exceeds,
    known,
)
from strategies.domain.params import Choice, Whole, not_below
from strategies.domain.uses import Use


class TrendFilter(IndicatorStrategy):
    """Long while the fast average is above the slow one and the longer average rises.

    Out while the fast average is below the slow one, or the longer one falls; with both sides
    short while both are so. The longer average is of candles of the longer timeframe that had
    closed by then.
    """

    key = "trend_filter"
    title = "Two-timeframe trend"
    source = (
        "Alexander Elder's triple screen (Trading for a Living, 1993): the slope of the longer "
        "average as first screen, with a crossover in place of the oscillator as second"
    )
    parameters = (
        Choice(
            "higher",
            "Longer timeframe",
            Timeframe.H1.value,
            tuple(timeframe.value for timeframe in HIGHER_TIMEFRAMES),
            "Its trend allows or forbids; above the strategy's own timeframe.",
        ),
        Whole("trend", "Trend period", 20, 2, 200, "Longer candles of the average of the trend."),
        Whole("fast", "Fast period", 12, 1, 400, "Candles of the quick average, below the slow."),
        Whole("slow", "Slow period", 26, 2, 500, "Candles of the slow average."),
        SIDES,
    )

    def contradictions(self) -> Mapping[str, str]:
        errors = not_below(self.params, "fast", "slow")
        if Timeframe(self.params["higher"]).ms <= self.timeframe.ms:
            errors["higher"] = (
                f"expected a timeframe above the strategy's own, {self.timeframe}; "
                f"was {self.params['higher']}"
            )
        return errors

    def uses(self) -> Sequence[Use]:
        period, higher = {"period": self.params["trend"]}, Timeframe(self.params["higher"])
        return (
            Use("ema", {"fast": "ema"}, {"period": self.params["fast"]}),
            Use("ema", {"slow": "ema"}, {"period": self.params["slow"]}),
            Use("ema", {"trend": "ema"}, period, timeframe=higher),
            Use("ema", {"trend_before": "ema"}, period, timeframe=higher, is_before=True),
        )

    def decide(self, values: Mapping[str, Floats]) -> Floats:
        fast, slow = values["fast"], values["slow"]
        trend, earlier = values["trend"], values["trend_before"]
        is_up, rises = exceeds(fast, slow, slow), exceeds(trend, earlier, trend)
        is_down, falls = exceeds(slow, fast, slow), exceeds(earlier, trend, trend)
        rules = [(is_up & rises, LONG)]
        if self.out == SHORT:
            rules.append((is_down & falls, SHORT))
        rules.append((known(slow, earlier) & (is_down | falls), FLAT))
        return chosen(rules)
