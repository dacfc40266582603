"""What a backfill is to do: its parameters, and the chunks they stand for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from marketdata.domain.gaps import Stretch
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS


class Order(StrEnum):
    """Which end of the range is loaded first."""

    NEWEST = "newest"
    OLDEST = "oldest"


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """1m candles of one instrument in [start_ms, end_ms), whole minutes; `trades`: those too."""

    exchange: str
    symbol: str
    start_ms: int
    end_ms: int
    trades: bool = False
    order: Order = Order.NEWEST

    @classmethod
    def of(cls, parameters: dict[str, Any]) -> Self:
        """Return the plan that a job's parameters hold."""
        return cls(**{**parameters, "order": Order(parameters["order"])})

    @property
    def parameters(self) -> dict[str, Any]:
        """The plan as a job keeps it."""
        return asdict(self)

    @property
    def minutes(self) -> int:
        """How many minutes are looked at; each twice when trades are wanted."""
        return (self.end_ms - self.start_ms) // MINUTE_MS * (2 if self.trades else 1)

    def candle_chunks(self) -> list[Stretch]:
        """Return the parts of UTC days to load, in order."""
        chunks = self.trade_chunks()
        return chunks if self.order is Order.NEWEST else chunks[::-1]

    def trade_chunks(self) -> list[Stretch]:
        """Return the parts of UTC days, newest first: trades can only be paged back."""
        first_day, last_day = self.start_ms // DAY_MS, (self.end_ms - 1) // DAY_MS
        return [
            (max(self.start_ms, day * DAY_MS), min(self.end_ms, (day + 1) * DAY_MS))
            for day in range(last_day, first_day - 1, -1)
        ]
