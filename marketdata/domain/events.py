"""What goes into an instrument's stream at its start and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from marketdata.domain.records import Candles, Opening, Trades, empty_candles, empty_trades
from marketdata.domain.timeframe import MINUTE_MS, Timeframe


class HoleCause(StrEnum):
    """Why trades are missing."""

    START = "start"
    OUTAGE = "outage"
    LOSS = "loss"


@dataclass(frozen=True, slots=True)
class Hole:
    """Trades that are missing: ids first_id to last_id, both included.

    `first_id` is None at the very first start: everything from `after_ms`, the open time of the
    first minute that is wanted (the one after the last stored candle, or that of the connection),
    up to `last_id`. It is repaired when trades reach back to one before `after_ms`. Otherwise
    `after_ms` and `before_ms` are the times of the trades on both sides.

    A hole keeps its bounds from the day it opens until all of it is found or given up, whatever
    parts of it have been filled in between.
    """

    first_id: int | None
    last_id: int
    after_ms: int
    before_ms: int
    cause: HoleCause


@dataclass(frozen=True, slots=True)
class Resume:
    """Where the store stands for one instrument; all None and empty at the very first start.

    `open_trades` are the stored trades of minutes that are not closed yet; `given_up` are the holes
    before the last trade that may still lack trades of these minutes, which are incomplete then.
    """

    last_trade_id: int | None = None
    last_trade_ms: int | None = None
    last_close: float | None = None
    last_closed_open_ms: int | None = None
    open_trades: Trades = field(default_factory=empty_trades)
    given_up: tuple[Hole, ...] = ()

    def first_wanted_ms(self, connected_at_ms: int) -> int:
        """Return the first minute to build: after the last stored one, or that of connecting."""
        if self.last_closed_open_ms is not None:
            return self.last_closed_open_ms + MINUTE_MS
        return Timeframe.M1.open_time(connected_at_ms)


@dataclass(frozen=True, slots=True)
class Emission:
    """What one input made of an instrument's stream; every part may be empty.

    `trades` are in order of id, each once. Of two `openings` of a minute, in one emission or in
    several, the first stays. `minutes` are closed 1m candles in order, flat ones
    included. `rebuild` are open times, ascending, of candles that were closed before and that a
    late trade has changed: the store builds those again, in this order, from its trades; one that
    has no trade was flat, and its price is the close before it, which may have changed.
    """

    trades: Trades = field(default_factory=empty_trades)
    openings: tuple[Opening, ...] = ()
    minutes: Candles = field(default_factory=empty_candles)
    rebuild: tuple[int, ...] = ()
    opened: tuple[Hole, ...] = ()
    repaired: tuple[Hole, ...] = ()
    given_up: tuple[Hole, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in any part."""
        return not (
            len(self.trades)
            or len(self.minutes)
            or self.openings
            or self.rebuild
            or self.opened
            or self.repaired
            or self.given_up
        )
