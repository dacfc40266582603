"""Order books as a function of the last trade and the time: 400 levels on each side.

Every tick near the price either carries a level or not; a level keeps its size for some seconds
and then takes another one. So two books a moment apart differ in a few levels, as real ones do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from marketdata.simulator.hashing import Integers, bits, key_of, part
from marketdata.simulator.instruments import LISTED_MINUTE, Instrument
from marketdata.simulator.view import View

SLICE_MS: Final = 100
DEPTH: Final = 400
_REACH: Final = 2 * DEPTH


@dataclass(frozen=True, slots=True)
class Level:
    """A price in ticks, a size in lots, and the number of orders."""

    ticks: int
    lots: int
    orders: int


@dataclass(frozen=True, slots=True)
class Side:
    """The levels of one side, best first."""

    ticks: Integers
    lots: Integers
    orders: Integers

    def levels(self, depth: int) -> list[Level]:
        columns = (self.ticks, self.lots, self.orders)
        rows = zip(*(column[:depth].tolist() for column in columns), strict=True)
        return [Level(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Book:
    """Both sides at `time_ms`."""

    bids: Side
    asks: Side
    time_ms: int


def sequence(time_ms: int) -> int:
    """Return the number in the instrument's sequence of books and trades."""
    return (time_ms - LISTED_MINUTE * 60_000) // 10


def book(view: View, symbol: str, depth: int = DEPTH) -> Book | None:
    """Return the book of the time slice of the view, or None before the first trade."""
    last = view.last_match(symbol)
    if not len(last):
        return None
    time_ms = view.now_ms - view.now_ms % SLICE_MS
    price, is_buy = int(last.ticks[-1]), bool(last.buys[-1])
    best_bid, best_ask = (price - 1, price) if is_buy else (price, price + 1)
    instrument = view.instrument(symbol)
    bids = _side(instrument, best_bid, -1, time_ms, depth)
    return Book(bids, _side(instrument, best_ask, 1, time_ms, depth), time_ms)


def best_levels(view: View, symbol: str) -> tuple[Level, Level] | None:
    """Return the best bid and ask, or None before the first trade."""
    found = book(view, symbol, depth=1)
    if found is None or not len(found.bids.ticks):
        return None
    return found.bids.levels(1)[0], found.asks.levels(1)[0]


def _side(instrument: Instrument, best: int, direction: int, time_ms: int, depth: int) -> Side:
    reach = min(_REACH, 2 * depth)
    ticks = best + direction * np.arange(reach, dtype=np.int64)
    ticks = ticks[ticks > 0]
    key = key_of(instrument.symbol, "book", direction)
    fixed = bits(key, ticks)
    is_level = part(fixed, 0, 8) < 170
    is_level[:1] = True
    ticks, fixed = ticks[is_level][:depth], fixed[is_level][:depth]
    # Sizes live for 2 to 130 s, each level with its own period and phase.
    period = (part(fixed, 8, 6) + 1) * 2_000
    generation = (time_ms + part(fixed, 14, 17)) // period
    changing = bits(key + 1, ticks * 1_000_003 + generation)
    lots = _lots(instrument, part(changing, 0, 12))
    return Side(ticks, lots, 1 + part(changing, 12, 3))


def _lots(instrument: Instrument, uniform: Integers) -> Integers:
    """Return sizes with a long tail around five median trades."""
    unit = float(instrument.start_price)
    if instrument.contract:
        unit = (
            float(instrument.contract)
            if instrument.is_inverse
            else unit * instrument.contract / 1e4
        )
    typical = max(1, round(5 * instrument.median_trade / unit * 10**instrument.size_digits))
    lots: Integers = np.maximum(1, typical * (uniform * uniform // 1024 + 64) // 4096)
    return lots
