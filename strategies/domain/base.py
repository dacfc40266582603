"""What a strategy is: closed candles in, one target position after each of them out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.series import Series
from marketdata.domain.timeframe import Timeframe
from strategies.domain.errors import InvalidParameters
from strategies.domain.params import Parameter, Values, resolve

Floats = NDArray[np.float64]
State = Mapping[str, Any]
"""Where a strategy stands after a candle; small, and JSON gives it back unchanged."""


class BaseStrategy(ABC):
    """One strategy with its parameters, for candles of one timeframe.

    A subclass names itself, declares its parameters and says what it wants to hold. Its docstring
    says to people what it does. It keeps nothing from one call to the next that changes an answer.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    """Who described it, and where."""
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self, timeframe: Timeframe | str, params: Values | None = None) -> None:
        """Raises InvalidParameters, by name, for what is unknown, out of range or contradictory."""
        self.timeframe = Timeframe(timeframe)
        self.params: dict[str, Any] = resolve(self.parameters, params or {})
        if errors := self.contradictions():
            raise InvalidParameters(errors)

    def contradictions(self) -> Mapping[str, str]:
        """Return why parameters do not go together, by name; nothing when they do."""
        return {}

    @property
    @abstractmethod
    def warmup(self) -> int:
        """Candles before one that make its target what it is with all earlier ones."""

    @abstractmethod
    def process_data(self, candles: Series) -> Floats:
        """Return the target after each candle: 1 long, 0 flat, -1 short, or a fraction of them.

        NaN is no decision: what is held stays. A target may depend on its own and earlier candles
        only. Return as many as there are candles.
        """

    def get_indicators(self, candles: Series) -> dict[str, Floats]:
        """Return what decisions are made by, for charts; each as long as `candles`."""
        return {}

    def get_panes(self) -> Mapping[str, str]:
        """Return where charts draw indicators, by name: "price" is over the candles.

        Those of any other name share a pane below. What is left out is placed by its values.
        """
        return {}


class SteppingStrategy(BaseStrategy):
    """A strategy that can go on from where it stood, for the price of one candle."""

    @abstractmethod
    def begin(self) -> State:
        """Return the state before the first candle."""

    @abstractmethod
    def step(self, state: State, candle: Series) -> tuple[State, float]:
        """Return the state and the target after the next candle, a series of one.

        The target has the same bits as that of `process_data` over all candles up to it. `state`
        is not changed.
        """
