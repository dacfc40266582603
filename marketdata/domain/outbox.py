"""What one input has made so far, until it is handed out as an emission."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from marketdata.domain.events import Emission, Hole
from marketdata.domain.records import (
    CANDLE_DTYPE,
    Candles,
    Opening,
    Trades,
    empty_candles,
    empty_trades,
)

NOTHING = Emission()


@dataclass(slots=True)
class Outbox:
    """The parts of an emission while they are collected."""

    trades: list[Trades] = field(default_factory=list)
    openings: list[Opening] = field(default_factory=list)
    minutes: list[tuple[Any, ...]] = field(default_factory=list)
    rebuild: set[int] = field(default_factory=set)
    opened: list[Hole] = field(default_factory=list)
    repaired: list[Hole] = field(default_factory=list)
    given_up: list[Hole] = field(default_factory=list)

    def emission(self) -> Emission:
        """Return everything collected."""
        return Emission(
            trades=_joined(self.trades),
            openings=tuple(self.openings),
            minutes=self._candles(),
            rebuild=tuple(sorted(self.rebuild)),
            opened=tuple(self.opened),
            repaired=tuple(self.repaired),
            given_up=tuple(self.given_up),
        )

    def _candles(self) -> Candles:
        return np.array(self.minutes, dtype=CANDLE_DTYPE) if self.minutes else empty_candles()


def _joined(parts: list[Trades]) -> Trades:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else empty_trades()
