"""What the execution kernel remembers between minutes, and what it tells."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

PPM: Final = 1_000_000
"""Shares are whole numbers of millionths: 10 bps are 1,000."""

UNCHANGED: Final = -(2**62)
"""In place of a target: the strategy has not decided at this minute."""

KERNEL_VERSION: Final = 2
"""Raised with every change of what the kernel does, which tests/backtests/test_golden.py holds;
stored with every result."""


class Kind(IntEnum):
    """What an event tells."""

    FILL = 0
    SKIPPED = 1
    CANCELLED = 2
    HALTED = 3
    BLOCKED = 4


class Reason(IntEnum):
    """Why it happened."""

    NONE = 0
    TARGET = 1
    """The strategy's target changed."""
    STOP_LOSS = 2
    TRAILING_STOP = 3
    TAKE_PROFIT = 4
    TIME_STOP = 5
    COMMAND = 6
    """A person, or an owner's limit, ordered it."""
    MAX_DRAWDOWN = 7
    DAILY_LOSS = 8
    LIQUIDATION = 9
    """Equity reached zero."""
    COOLDOWN = 10
    PAUSED = 11
    HALTED = 12
    BELOW_MINIMUM = 13
    NO_TRADE = 14
    """No minute traded within one timeframe of the decision."""
    STOPPED_BEFORE = 15
    """A stop or target closed the position before the order's turn."""
    NO_SHORT = 16
    STALE = 17
    """The decision was older than an entry may be."""


class Command(IntEnum):
    """What can be ordered from outside, with the minute it was ordered in."""

    FLATTEN = 1
    PAUSE = 2
    RESUME = 3
    HALT = 4
    """Flatten and end."""


class Sizing(IntEnum):
    """What a target of 1 means."""

    FRACTION = 0
    """Millionths of the equity."""
    QUOTE = 1
    """Cash units."""
    RISK = 2
    """Millionths of the equity that are lost when the stop-loss fills as set."""


class Rules(NamedTuple):
    """How orders are made and filled: whole numbers only. Shares in millionths, 0 for off."""

    cash_per_tick_lot: int
    minimum_lots: int
    timeframe_ms: int
    taker: int
    maker: int
    slippage: int
    sizing: int
    size: int
    is_short_allowed: bool
    is_margined: bool
    """A linear swap: profit and loss in cash, at most the equity's worth of position."""
    stop_loss: int
    take_profit: int
    trailing_stop: int
    time_stop_ms: int
    cooldown_ms: int
    """After a round trip that lost."""
    max_drawdown: int
    max_daily_loss: int
    max_exposure: int
    """Of the equity; PPM for no further limit."""


STATE: Final = np.dtype(
    [
        ("cash", "<i8"),  # cash units; a long position was paid from it, a short one paid into it
        ("lots", "<i8"),  # the position, negative when short
        ("entry_tick", "<i8"),  # average price of the position, the nearest tick
        ("entry_cash", "<i8"),  # cash before the round trip began
        ("entry_ms", "<i8"),  # when it began
        ("stop", "<i8"),  # ticks, 0 for none: the stop-loss
        ("trail", "<i8"),  # ticks, 0 for none: the trailing stop
        ("best", "<i8"),  # ticks: the best price of closed minutes since the entry
        ("goal", "<i8"),  # ticks, 0 for none: the take-profit
        ("liquidation", "<i8"),  # ticks, 0 for none: where a short has lost everything
        ("target", "<i8"),  # millionths: what the strategy last asked for
        ("order", "<i8"),  # millionths: what the waiting order is for
        ("order_ms", "<i8"),  # close time at which the waiting order was made
        ("order_reason", "<i8"),  # Reason; NONE while no order waits
        ("cooldown_until_ms", "<i8"),
        ("peak", "<i8"),  # cash units: the highest equity so far
        ("equity", "<i8"),  # cash units: at the last close
        ("day", "<i8"),  # UTC day number of the last close
        ("day_equity", "<i8"),  # cash units: equity at that day's start
        ("fees", "<i8"),  # cash units, in total
        ("slippage", "<i8"),  # cash units, in total
        ("last_tick", "<i8"),  # the last close that was seen
        ("is_paused", "<i8"),
        ("is_halted", "<i8"),
        ("is_day_blocked", "<i8"),
    ]
)
"""Everything a run is, between two minutes. A copy of it is a run that goes on from there."""

EVENT: Final = np.dtype(
    [
        ("time_ms", "<i8"),  # open time for fills at an open, else close time of the minute
        ("decided_ms", "<i8"),  # when what led to it was decided
        ("kind", "<i8"),
        ("reason", "<i8"),
        ("lots", "<i8"),  # bought, negative when sold
        ("tick", "<i8"),
        ("fee", "<i8"),  # cash units
        ("slippage", "<i8"),  # cash units
        ("cash", "<i8"),  # after it
        ("position", "<i8"),  # lots after it
    ]
)
"""A fill, or an order that came to nothing and why."""

Record = Any
"""One record of STATE, by reference: what compiled functions change in place."""

States = NDArray[np.void]
Events = Any
"""An array of EVENT; the halves of a minute take the reference of its first record as well."""

MINUTE: Final = np.dtype(
    [(name, "<i8") for name in ("time_ms", "open", "high", "low", "close", "traded")]
)
"""A minute as a sweep looks at it: one place in memory, prices in ticks."""

CHANGE: Final = np.dtype([("index", "<i8"), ("target", "<i8")])
"""The index of a minute whose target is another than that of the one before, and its target."""

VALUE: Final = np.dtype([("value", "<i8")])
"""A number in a column that kernels look at by reference."""

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Minutes(NamedTuple):
    """1m candles as columns, all of one length, and what the strategy wants at each close."""

    times: Integers
    """Open times, UTC milliseconds."""
    traded: Flags
    """Whether the minute had volume."""
    opens: Integers
    """Ticks, as the other three."""
    highs: Integers
    lows: Integers
    closes: Integers
    targets: Integers
    """Millionths; UNCHANGED where no candle of the strategy closed."""


def new_state(cash: int) -> States:
    """Return the state of a run that starts with `cash` units: one record."""
    state = np.zeros(1, STATE)
    for field in ("cash", "equity", "peak", "day_equity", "entry_cash"):
        state[field] = cash
    state["day"] = -1
    return state


def new_events(capacity: int) -> Events:
    """Return room for `capacity` events."""
    return np.zeros(capacity, EVENT)
