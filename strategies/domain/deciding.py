"""Strategies that decide by the values of indicators, each candle for itself.

All that such a strategy says is which indicators it looks at and what it decides by them; warm-up,
whole series, charts and single steps follow from that.
"""

from __future__ import annotations

import weakref
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.series import Series
from marketdata.domain.timeframe import Timeframe
from strategies.domain.base import Floats, State, SteppingStrategy
from strategies.domain.params import Choice, Values
from strategies.domain.stepping import begin_uses, step_uses
from strategies.domain.uses import Use, values_of

Bools = NDArray[np.bool_]

LONG, FLAT, SHORT = 1.0, 0.0, -1.0

SIDES: Final = Choice(
    "sides",
    "Sides",
    "long",
    ("long", "both"),
    "long: in or out; both: short in place of out, where the instrument allows it.",
)


def exceeds(left: Floats, right: Floats, size: Floats) -> Bools:
    """Return where `left` is above `right` by more than rounding of numbers of `size`.

    False where either is NaN.
    """
    # Imported at the first use: importing Numba takes longer than starting a web process.
    from strategies.domain.kernels import comparing

    above = np.empty(len(left), dtype=np.bool_)
    comparing.exceeds(left, right, size, above)
    return above


def side(left: Floats, right: Floats, size: Floats, below: float) -> Floats:
    """Return long where `left` exceeds `right`, `below` where it is exceeded, NaN elsewhere."""
    from strategies.domain.kernels import comparing

    targets = np.empty(len(left))
    comparing.side(left, right, size, LONG, below, targets)
    return targets


def known(*values: Floats) -> Bools:
    """Return where none of the values is NaN."""
    complete = ~np.isnan(values[0])
    for each in values[1:]:
        complete &= ~np.isnan(each)
    return complete


class IndicatorStrategy(SteppingStrategy):
    """Decides at every candle from the values that its indicators have there."""

    def __init__(self, timeframe: Timeframe | str, params: Values | None = None) -> None:
        super().__init__(timeframe, params)
        self._uses = tuple(self.uses())
        self._seen: tuple[weakref.ref[Any], dict[str, Floats]] | None = None

    @abstractmethod
    def uses(self) -> Sequence[Use]:
        """Return the indicators that are looked at."""

    @abstractmethod
    def decide(self, values: Mapping[str, Floats]) -> Floats:
        """Return the target at each candle, from the values of that candle alone.

        NaN among the values must give NaN. Arrays of length one are as good as long ones.
        """

    @property
    def warmup(self) -> int:
        return max((use.settling(self.timeframe) for use in self._uses), default=0)

    @property
    def out(self) -> float:
        """The target in place of long."""
        return SHORT if self.params.get("sides") == "both" else FLAT

    def process_data(self, candles: Series) -> Floats:
        return self.decide(self.get_indicators(candles))

    def get_indicators(self, candles: Series) -> dict[str, Floats]:
        if self._seen is None or self._seen[0]() is not candles.rows:
            self._seen = (weakref.ref(candles.rows), values_of(self._uses, candles))
        return dict(self._seen[1])

    def get_panes(self) -> Mapping[str, str]:
        return {name: use.indicator.pane for use in self._uses for name in use.names}

    def begin(self) -> State:
        return begin_uses(self._uses)

    def step(self, state: State, candle: Series) -> tuple[State, float]:
        after, values = step_uses(self._uses, state, candle)
        targets = self.decide({name: np.array([value]) for name, value in values.items()})
        return after, float(targets[0])


def chosen(rules: Sequence[tuple[Bools, float]]) -> Floats:
    """Return the target of the first rule that holds at each candle; NaN where none does."""
    targets = np.full(len(rules[0][0]), np.nan)
    for holds, target in reversed(rules):
        np.putmask(targets, holds, target)
    return targets
