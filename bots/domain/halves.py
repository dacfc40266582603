"""What a bot is handed of its minutes, and what it hands back, as compiled functions see it."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from backtests.domain.records import Flags, Integers

OPENING: Final = 0
CLOSE: Final = 1


class Place(NamedTuple):
    """Where a bot stands: a minute (open time in ms) and the half of it that is done next."""

    minute_ms: int
    phase: int


class Halves(NamedTuple):
    """Minutes without a gap between them, as columns of one length."""

    times: Integers
    """Open times, UTC milliseconds."""
    is_open: Flags
    """Whether the minute has an opening half: it traded, or its first trade is known."""
    is_closed: Flags
    """Whether its candle is known; one that is not, and is passed, was left out."""
    opens: Integers
    """Ticks, as the other three: what an order fills at."""
    highs: Integers
    lows: Integers
    closes: Integers


class Until(NamedTuple):
    """How far a bot may go, and the time by which decisions are judged."""

    settled: int
    """Index of the first minute whose closing half is not due."""
    edge: int
    """Index of the first minute that is not begun."""
    is_stopping: bool
    now_ms: int
    max_entry_age_ms: int


MARK: Final = np.dtype(
    [
        ("equity", "<i8"),
        ("cash", "<i8"),
        ("lots", "<i8"),
        ("peak", "<i8"),
        ("day_equity", "<i8"),
    ]
)
"""The account at the close of a minute, in cash units and lots."""

MADE: Final = np.dtype([("after", "<i8"), ("made_ms", "<i8"), ("target", "<i8"), ("reason", "<i8")])
"""An order that began to wait after so many events."""

Marks = Any
"""An array of MARK."""

Made = Any
"""An array of MADE."""
