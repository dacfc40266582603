"""What metrics are computed from: the account at every minute, by day and by round trip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backtests.domain.drawdown import Drawdown, deepest
from backtests.domain.records import Integers
from backtests.domain.roundtrips import RoundTrips

DAY_MS: Final = 86_400_000

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Account:
    """What the metrics are computed from.

    `times_ms` are the closes at which `equity` was marked; `days` the equity at each 00:00 UTC,
    beginning with `start`; `profits` are after fees, of every closed round trip; `held_ms` is the
    time in position, `traded_value` the worth of all that was bought and sold.
    """

    start: int
    times_ms: Integers
    equity: Integers
    days: Integers
    trips: RoundTrips
    profits: Integers
    drawdown: Drawdown
    begin_ms: int
    held_ms: int
    traded_value: int
    fees: int
    slippage: int
    bought_and_held: float | None
    stop_share: float

    @property
    def end(self) -> int:
        return int(self.equity[-1])

    @property
    def length_ms(self) -> int:
        return int(self.times_ms[-1]) - self.begin_ms

    @property
    def returns(self) -> Floats:
        """Return of every whole UTC day."""
        if len(self.days) < 2 or (self.days[:-1] <= 0).any():
            return np.zeros(0)
        daily: Floats = self.days[1:] / self.days[:-1] - 1.0
        return daily


def account(
    *,
    start: int,
    times_ms: Integers,
    equity: Integers,
    trips: RoundTrips,
    closes: Integers,
    stop_share: float = 0.0,
) -> Account:
    """Put together what the metrics need; `times_ms` are close times, `closes` ticks beside them.

    Raises ValueError for a run without a minute.
    """
    if not len(equity):
        raise ValueError("expected at least one minute; there was none")
    return Account(
        start=start,
        times_ms=times_ms,
        equity=equity,
        days=daily_equity(times_ms, equity, start),
        drawdown=deepest(times_ms, equity, start),
        begin_ms=int(times_ms[0]) - 60_000,
        bought_and_held=float(closes[-1] / closes[0] - 1.0) if closes[0] > 0 else None,
        stop_share=stop_share,
        **_of_trips(trips, int(times_ms[-1])),
    )


def swept_account(
    *,
    start: int,
    end: int,
    times_ms: Integers,
    days: Integers,
    depth: float,
    trips: RoundTrips,
    closes: Integers,
    stop_share: float = 0.0,
) -> Account:
    """Put together the account of a run whose equity was not kept minute by minute.

    `days` is the equity at `midnights`, `depth` the deepest fall, whose times are not known. All
    metrics are those of `account`; there must be a minute.
    """
    end_ms = int(times_ms[-1])
    return Account(
        start=start,
        times_ms=times_ms[-1:],
        equity=np.array([end]),
        days=np.concatenate(([start], days)),
        drawdown=Drawdown(depth, end_ms, end_ms, None, 0),
        begin_ms=int(times_ms[0]) - 60_000,
        bought_and_held=float(closes[-1] / closes[0] - 1.0) if closes[0] > 0 else None,
        stop_share=stop_share,
        **_of_trips(trips, end_ms),
    )


def held_ms(trips: RoundTrips, end_ms: int) -> int:
    """Return the time in position of a run that ended at `end_ms`, with an open trip or without."""
    exits = np.where(trips["is_closed"], trips["exit_ms"], end_ms)
    return int(np.sum(exits - trips["entry_ms"]))


def _of_trips(trips: RoundTrips, end_ms: int) -> dict[str, Any]:
    return {
        "trips": trips,
        "profits": trips["profit"][trips["is_closed"]],
        "held_ms": held_ms(trips, end_ms),
        "traded_value": int(np.sum(trips["paid"])) + int(np.sum(trips["received"])),
        "fees": int(np.sum(trips["fees"])),
        "slippage": int(np.sum(trips["slippage"])),
    }


def daily_equity(times_ms: Integers, equity: Integers, start: int) -> Integers:
    """Return the equity at the beginning and at every 00:00 UTC that the run has reached.

    A day counts when the run lived all of it, or when it is the first and began in the middle.
    """
    return np.concatenate(([start], equity[midnights(times_ms)]))


def midnights(times_ms: Integers) -> NDArray[np.intp]:
    """Return the indices of the last closes up to every 00:00 UTC that was reached."""
    days = np.arange(times_ms[0] // DAY_MS + (times_ms[0] % DAY_MS > 0), times_ms[-1] // DAY_MS + 1)
    marks = np.searchsorted(times_ms, days * DAY_MS, side="right") - 1
    return marks[marks >= 0]
