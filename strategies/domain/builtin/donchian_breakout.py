"""Donchian channels: long above the highest high, out below the lowest low, of candles before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from strategies.domain.base import Floats
from strategies.domain.deciding import LONG, SHORT, SIDES, IndicatorStrategy, chosen, known
from strategies.domain.params import Whole
from strategies.domain.uses import Use


class DonchianBreakout(IndicatorStrategy):
    """Long when a candle closes above the channel of the candles before it.

    Out when one closes below the lowest low of the exit channel's candles before it. With both
    sides: short below the channel, and what is held ends only by the breakout on the other side.
    """

    key = "donchian_breakout"
    title = "Donchian breakout"
    source = "Richard Donchian's four-week rule; the Turtles' entries and exits (C. Faith, 2003)"
    parameters = (
        Whole("entry", "Entry channel", 20, 2, 500, "Candles whose high must be broken."),
        Whole("exit", "Exit channel", 10, 1, 500, "Candles whose low ends a long position."),
        SIDES,
    )

    def uses(self) -> Sequence[Use]:
        def channel(period: int, **names: str) -> Use:
            return Use("donchian", names, {"period": period}, is_before=True)

        return (
            channel(self.params["entry"], entry_upper="upper", entry_lower="lower"),
            channel(self.params["exit"], exit_lower="lower"),
            Use("sma", {"close": "sma"}, {"period": 1}),
        )

    def decide(self, values: Mapping[str, Floats]) -> Floats:
        close, upper = values["close"], values["entry_upper"]
        floor = values["entry_lower" if self.out == SHORT else "exit_lower"]
        # Before the entry channel is known, the shorter exit channel decides nothing either.
        is_below = known(upper) & (close < floor)
        return chosen([(close > upper, LONG), (is_below, self.out)])
