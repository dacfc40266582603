"""Trades of a run of minutes of the seeded market, made at once in arrays.

Every figure depends on the seed, the instrument, the minute and the match's own id only, never on
how many minutes are made together: sums run inside a minute, in integers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketdata.simulator.hashing import Bits, Integers, bits, key_of, part
from marketdata.simulator.instruments import Instrument
from marketdata.simulator.matches import NO_MATCHES, Flags, Matches
from marketdata.simulator.paths import Floats, price_of

_CONTINUES: Final = 90
"""Of 256 matches so many belong to the taker order of the match before."""
_NEXT_LEVEL: Final = 60
"""Of 256 such matches so many eat into the next price level."""
_LEAST_PAUSE: Final = 4_096
"""Between two orders of a minute, where the longest is 65,536 more: bursts, but no long silence."""
_STEP_DEVIATION: Final = 26_754.5
"""Standard deviation of the sum of two uniforms of 16 bits."""


@dataclass(frozen=True, slots=True)
class Minutes:
    """What is known of consecutive minutes before their trades are made.

    `counts` matches in each, the first of them with id `first_id`; `levels` at the minutes'
    edges (one more than minutes) and the `variances` between.
    """

    first_minute: int
    first_id: int
    counts: Integers
    levels: Floats
    variances: Floats


@dataclass(frozen=True, slots=True)
class _Orders:
    """The taker orders the matches belong to: row of the first match, minute, rank inside it."""

    first_row: Integers
    minute: Integers
    rank: Integers
    per_minute: Integers
    random_bits: Bits


def make_matches(seed: int, instrument: Instrument, minutes: Minutes) -> Matches:
    """Return all matches of the minutes."""
    total = int(minutes.counts.sum())
    if not total:
        return NO_MATCHES
    key = key_of(seed, instrument.symbol, "matches")
    ids = np.arange(minutes.first_id, minutes.first_id + total, dtype=np.int64)
    random_bits = bits(key, ids)
    opens_order = _order_starts(random_bits, minutes.counts)
    orders = _orders(opens_order, minutes.counts, bits(key + 1, ids[opens_order]))
    order_of = np.cumsum(opens_order) - 1
    offsets = _offsets(key, minutes, orders)
    buys, best = _quotes(instrument, minutes, orders, offsets)
    depth = _depth(random_bits, opens_order, orders.first_row[order_of])
    elp = part(orders.random_bits, 56, 6)[order_of] == 0
    starts = opens_order.copy()
    starts[1:] |= depth[1:] != depth[:-1]
    signed = np.where(buys[order_of], depth, -depth)
    opened = (minutes.first_minute + orders.minute) * 60_000 + offsets
    return Matches(
        ids=ids,
        times=opened[order_of],
        ticks=np.maximum(1, best[order_of] + signed),
        lots=_lots(instrument, random_bits),
        buys=buys[order_of],
        elp=elp,
        starts=starts,
    )


def _order_starts(random_bits: Bits, counts: Integers) -> Flags:
    starts = part(random_bits, 0, 8) >= _CONTINUES
    firsts = np.cumsum(counts) - counts
    starts[firsts[counts > 0]] = True
    return starts


def _orders(opens_order: Flags, counts: Integers, random_bits: Bits) -> _Orders:
    minute = np.repeat(np.arange(len(counts)), counts)[opens_order]
    per_minute = np.bincount(minute, minlength=len(counts))
    before = np.cumsum(per_minute) - per_minute
    rank = np.arange(1, len(minute) + 1) - before[minute]
    return _Orders(np.flatnonzero(opens_order), minute, rank, per_minute, random_bits)


def _within_minute(values: Integers, orders: _Orders) -> Integers:
    """Return running sums that begin again at every minute."""
    sums = np.cumsum(values)
    firsts = np.cumsum(orders.per_minute) - orders.per_minute
    before = np.concatenate((np.zeros(1, np.int64), sums))[firsts]
    result: Integers = sums - before[orders.minute]
    return result


def _offsets(key: int, minutes: Minutes, orders: _Orders) -> Integers:
    """Return each order's milliseconds after its minute's start: bursts and pauses, rising."""
    uniform = part(orders.random_bits, 0, 16)
    squared = (uniform * uniform) >> 16
    elapsed = _within_minute(((squared * squared) >> 16) + _LEAST_PAUSE, orders)
    numbers = np.arange(minutes.first_minute, minutes.first_minute + len(minutes.counts))
    pause = part(bits(key + 2, numbers), 0, 14) + 1
    last = np.zeros(len(minutes.counts), np.int64)
    last[orders.minute] = elapsed
    return 60_000 * elapsed // (last + pause)[orders.minute]


def _quotes(
    instrument: Instrument, minutes: Minutes, orders: _Orders, offsets: Integers
) -> tuple[Flags, Integers]:
    """Return each order's side and the best price it meets, in ticks."""
    steps = part(orders.random_bits, 16, 16) + part(orders.random_bits, 32, 16) - 65_535
    walked = _within_minute(steps, orders)
    ends = np.zeros(len(minutes.counts), np.int64)
    ends[orders.minute] = walked
    count = orders.per_minute[orders.minute]
    bridge = walked - ends[orders.minute] * orders.rank / count
    noise = bridge / (_STEP_DEVIATION * np.sqrt(count)) * np.sqrt(minutes.variances)[orders.minute]
    left, right = minutes.levels[:-1][orders.minute], minutes.levels[1:][orders.minute]
    level = left + (right - left) * (offsets / 60_000.0) + noise
    price = price_of(level, instrument.start_price) * float(10**instrument.price_digits)
    bid = np.floor(price).astype(np.int64)
    buys: NDArray[np.bool_] = (steps + part(orders.random_bits, 48, 8) * 400 - 51_000) > 0
    return buys, np.where(buys, bid + 1, bid)


def _depth(random_bits: Bits, opens_order: Flags, first_row: Integers) -> Integers:
    """Return how many levels beyond the best price each match is."""
    deeper = (part(random_bits, 8, 8) < _NEXT_LEVEL) & ~opens_order
    levels = np.cumsum(deeper)
    return levels - levels[first_row]


def _lots(instrument: Instrument, random_bits: Bits) -> Integers:
    typical = _typical_lots(instrument)[part(random_bits, 16, 8)]
    spread = (typical * (49_152 + part(random_bits, 24, 15))) >> 16
    lots: Integers = np.maximum(1, spread)
    return lots


@lru_cache(maxsize=1024)
def _typical_lots(instrument: Instrument) -> Integers:
    """Return 256 sizes in lots, evenly spaced over a log-normal distribution."""
    unit = instrument.start_price
    if instrument.is_inverse:
        unit = float(instrument.contract)
    elif instrument.contract:
        unit *= instrument.contract * 1e-4
    median = instrument.median_trade / unit * 10**instrument.size_digits
    normal = NormalDist()
    sizes = [median * math.exp(1.6 * normal.inv_cdf((row + 0.5) / 256)) for row in range(256)]
    return np.array([max(1, round(size)) for size in sizes], np.int64)
