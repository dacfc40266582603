"""The reference that every other strategy has to beat."""

from __future__ import annotations

import numpy as np

from marketdata.domain.series import Series
from strategies.domain.base import Floats, State, SteppingStrategy
from strategies.domain.deciding import LONG


class BuyAndHold(SteppingStrategy):
    """Long from the first candle on, whatever happens."""

    key = "buy_and_hold"
    title = "Buy and hold"
    source = "The market itself; the usual benchmark of fund managers"

    @property
    def warmup(self) -> int:
        return 0

    def process_data(self, candles: Series) -> Floats:
        return np.full(len(candles), LONG)

    def begin(self) -> State:
        return {}

    def step(self, state: State, candle: Series) -> tuple[State, float]:
        return state, LONG
