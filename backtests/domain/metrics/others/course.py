"""What other programs compute their figures from: bars, days and closed trades."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from backtests.domain.metrics.account import DAY_MS, Account, Floats
from backtests.domain.metrics.others.bars import Bars, bars_of
from backtests.domain.records import Integers
from backtests.domain.roundtrips import RoundTrips

MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Course:
    """An account in floats; money in cash units.

    `day_returns` go from the last minute of one UTC day to that of the next, the first day left
    out; `profits` and `shares` are after fees, in cash and of the worth at the entry, one for each
    closed round trip; `first` and `end` are the equity at the first and the last close.
    """

    start: float
    first: float
    end: float
    bars: Bars
    day_returns: Floats
    profits: Floats
    shares: Floats
    trips: RoundTrips
    begin_ms: int
    last_open_ms: int
    is_open_at_weekends: bool
    held: float
    """The share of minutes in which something was held, the first and the last of each counted."""

    @property
    def length_ms(self) -> int:
        """From the open of the first minute to that of the last."""
        return self.last_open_ms - self.begin_ms


def course_of(account: Account) -> Course:
    """Return the course of an account."""
    equity = account.equity
    opens = account.times_ms - MINUTE_MS
    closed = account.trips[account.trips["is_closed"]]
    profits = closed["profit"].astype(np.float64)
    return Course(
        start=float(account.start),
        first=float(equity[0]),
        end=float(equity[-1]),
        bars=bars_of(account.start, equity),
        day_returns=_day_returns(opens, equity),
        profits=profits,
        shares=profits / closed["paid"],
        trips=closed,
        begin_ms=account.begin_ms,
        last_open_ms=int(opens[-1]),
        is_open_at_weekends=_has_weekends(opens),
        held=_held(opens, closed),
    )


def ratio(above: float, below: float) -> float | None:
    """Return a quotient; None where it is unknown."""
    value = above / below if below else math.nan
    return value if math.isfinite(value) else None


def grown(factor: float, exponent: float) -> float | None:
    """Return factor ^ exponent - 1; None where that is no number."""
    try:
        return math.pow(factor, exponent) - 1.0 if factor > 0 else None
    except OverflowError:
        return None


def _day_returns(opens: Integers, equity: Integers) -> Floats:
    days = opens // DAY_MS
    lasts = equity[np.append(np.flatnonzero(np.diff(days)), len(days) - 1)]
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = lasts[1:] / lasts[:-1] - 1.0
    return found


def _has_weekends(opens: Integers) -> bool:
    # The first of January 1970 was a Thursday.
    weekdays = (opens[:: max(1, len(opens) // 10_000)] // DAY_MS + 3) % 7
    return bool(np.mean(weekdays >= 5) > 2 / 7 * 0.6)


def _held(opens: Integers, closed: RoundTrips) -> float:
    changes = np.zeros(len(opens) + 1, np.int32)
    np.add.at(changes, np.searchsorted(opens, closed["entry_ms"], side="right") - 1, 1)
    np.add.at(changes, np.searchsorted(opens, closed["exit_ms"], side="right"), -1)
    return float(np.mean(np.cumsum(changes[:-1]) > 0))
