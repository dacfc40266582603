"""The figures of a result: one function each, with its formula and where it comes from.

An unknown figure is None: never infinity, never 0 in its place. Money is in cash units; shares
are plain numbers (0.1 is 10 %). `METRICS` names them all, in the order in which they are shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtests.domain.drawdown import Drawdown, deepest
from backtests.domain.records import Integers
from backtests.domain.roundtrips import RoundTrips

DAY_MS: Final = 86_400_000
YEAR_DAYS: Final = 365
LEAST_DAYS: Final = 30
"""Daily returns below which a ratio of them says nothing."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Account:
    """What the metrics are computed from.

    `times_ms` are the closes at which `equity` was marked; `days` the equity at each 00:00 UTC
    and at the end, beginning with `start`; `held_ms` the time in position.
    """

    start: int
    times_ms: Integers
    equity: Integers
    days: Integers
    trips: RoundTrips
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
    def profits(self) -> Integers:
        """Profit after fees of every closed round trip."""
        closed: Integers = self.trips["profit"][self.trips["is_closed"]]
        return closed

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
    cash_per_tick_lot: int,
    closes: Integers,
    stop_share: float = 0.0,
) -> Account:
    """Put together what the metrics need; `times_ms` are close times, `closes` ticks beside them.

    Raises ValueError for a run without a minute.
    """
    if not len(equity):
        raise ValueError("expected at least one minute; there was none")
    begin_ms = int(times_ms[0]) - 60_000
    exits = np.where(trips["is_closed"], trips["exit_ms"], times_ms[-1])
    out = np.nan_to_num(trips["exit_tick"] * (trips["is_closed"] * trips["lots"]))
    traded = int(np.sum(trips["paid"])) + int(np.rint(np.sum(out) * cash_per_tick_lot))
    return Account(
        start=start,
        times_ms=times_ms,
        equity=equity,
        days=daily_equity(times_ms, equity, start),
        trips=trips,
        drawdown=deepest(times_ms, equity, start),
        begin_ms=begin_ms,
        held_ms=int(np.sum(exits - trips["entry_ms"])),
        traded_value=traded,
        fees=int(np.sum(trips["fees"])),
        slippage=int(np.sum(trips["slippage"])),
        bought_and_held=float(closes[-1] / closes[0] - 1.0) if closes[0] > 0 else None,
        stop_share=stop_share,
    )


def daily_equity(times_ms: Integers, equity: Integers, start: int) -> Integers:
    """Return the equity at the beginning and at every 00:00 UTC that the run has reached.

    A day counts when the run lived all of it, or when it is the first and began in the middle.
    """
    midnights = np.arange(
        times_ms[0] // DAY_MS + (times_ms[0] % DAY_MS > 0), times_ms[-1] // DAY_MS + 1
    )
    marks = np.searchsorted(times_ms, midnights * DAY_MS, side="right") - 1
    return np.concatenate(([start], equity[marks[marks >= 0]]))


def total_return(of: Account) -> float | None:
    """Equity at the end / initial balance - 1."""
    return of.end / of.start - 1.0


def cagr(of: Account) -> float | None:
    """(end / start) ^ (365 days / duration) - 1; unknown below a day or without equity left."""
    if of.length_ms < DAY_MS or of.end <= 0:
        return None
    try:
        return math.pow(of.end / of.start, YEAR_DAYS * DAY_MS / of.length_ms) - 1.0
    except OverflowError:
        return None


def sharpe(of: Account) -> float | None:
    """Mean / deviation (ddof 1) of daily returns x sqrt(365), risk-free 0 (Sharpe, 1994)."""
    returns = of.returns
    if len(returns) < LEAST_DAYS or not (spread := float(np.std(returns, ddof=1))) > 0:
        return None
    return float(np.mean(returns)) / spread * math.sqrt(YEAR_DAYS)


def sortino(of: Account) -> float | None:
    """Mean / sqrt(mean(min(return, 0)^2)) of daily returns x sqrt(365) (Sortino and Price 1994)."""
    returns = of.returns
    if len(returns) < LEAST_DAYS:
        return None
    below = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    return float(np.mean(returns)) / below * math.sqrt(YEAR_DAYS) if below > 0 else None


def volatility(of: Account) -> float | None:
    """Standard deviation (ddof 1) of daily returns x sqrt(365); unknown below two days."""
    returns = of.returns
    return float(np.std(returns, ddof=1)) * math.sqrt(YEAR_DAYS) if len(returns) >= 2 else None


def max_drawdown(of: Account) -> float | None:
    """Largest 1 - equity / running maximum over the minutes, beginning at the initial balance."""
    return of.drawdown.depth


def calmar(of: Account) -> float | None:
    """CAGR / maximum drawdown (Young 1991)."""
    grown = cagr(of)
    return None if grown is None or of.drawdown.depth <= 0 else grown / of.drawdown.depth


def win_rate(of: Account) -> float | None:
    """Closed round trips with a profit after fees / closed round trips."""
    return _share(of, of.profits > 0)


def draw_rate(of: Account) -> float | None:
    """Closed round trips with neither profit nor loss / closed round trips."""
    return _share(of, of.profits == 0)


def profit_factor(of: Account) -> float | None:
    """Sum of profits / sum of losses, after fees; unknown without a loss."""
    lost = -int(of.profits[of.profits < 0].sum())
    return int(of.profits[of.profits > 0].sum()) / lost if lost else None


def expectancy(of: Account) -> float | None:
    """Mean profit after fees of closed round trips, in cash units."""
    return float(np.mean(of.profits)) if len(of.profits) else None


def expectancy_r(of: Account) -> float | None:
    """Mean of profit / amount risked at the entry (worth x stop-loss share); needs a stop-loss."""
    closed = of.trips[of.trips["is_closed"]]
    if not len(closed) or of.stop_share <= 0:
        return None
    return float(np.mean(closed["profit"] / (closed["paid"] * of.stop_share)))


def exposure(of: Account) -> float | None:
    """Time in position / total time."""
    return of.held_ms / of.length_ms


def turnover(of: Account) -> float | None:
    """Value bought and sold / initial balance."""
    return of.traded_value / of.start


def fees_paid(of: Account) -> float | None:
    """Sum of all fees, in cash units."""
    return float(of.fees)


def slippage_paid(of: Account) -> float | None:
    """Sum over fills of |fill price - quoted price| x size, in cash units."""
    return float(of.slippage)


def average_holding(of: Account) -> float | None:
    """Mean time from entry to exit of closed round trips, in ms."""
    closed = of.trips[of.trips["is_closed"]]
    return float(np.mean(closed["exit_ms"] - closed["entry_ms"])) if len(closed) else None


def best_trip(of: Account) -> float | None:
    """Largest profit after fees of a closed round trip, in cash units."""
    return float(of.profits.max()) if len(of.profits) else None


def worst_trip(of: Account) -> float | None:
    """Smallest profit after fees of a closed round trip, in cash units."""
    return float(of.profits.min()) if len(of.profits) else None


def longest_losing_run(of: Account) -> float | None:
    """Most closed round trips in a row that lost."""
    if not len(of.profits):
        return None
    # Distances between the trips that did not lose, both ends counted.
    kept = np.flatnonzero(np.concatenate(([True], of.profits >= 0, [True])))
    return float(np.max(np.diff(kept)) - 1)


def round_trip_count(of: Account) -> float | None:
    """Closed round trips."""
    return float(len(of.profits))


def buy_and_hold(of: Account) -> float | None:
    """Last close / first close - 1 of the same window, without costs."""
    return of.bought_and_held


def _share(of: Account, is_one: NDArray[np.bool_]) -> float | None:
    return float(np.mean(is_one)) if len(of.profits) else None


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure: how it is called, what it is counted in and how it is computed."""

    key: str
    title: str
    unit: str
    """share, ratio, cash, ms or count"""
    compute: Callable[[Account], float | None]

    @property
    def formula(self) -> str:
        """The definition, for a tooltip."""
        return (self.compute.__doc__ or "").strip()


METRICS: Final = (
    Metric("total_return", "Total return", "share", total_return),
    Metric("buy_and_hold", "Buy and hold", "share", buy_and_hold),
    Metric("cagr", "CAGR", "share", cagr),
    Metric("sharpe", "Sharpe", "ratio", sharpe),
    Metric("sortino", "Sortino", "ratio", sortino),
    Metric("volatility", "Volatility", "share", volatility),
    Metric("max_drawdown", "Max drawdown", "share", max_drawdown),
    Metric("calmar", "Calmar", "ratio", calmar),
    Metric("round_trips", "Round trips", "count", round_trip_count),
    Metric("win_rate", "Win rate", "share", win_rate),
    Metric("draw_rate", "Draws", "share", draw_rate),
    Metric("profit_factor", "Profit factor", "ratio", profit_factor),
    Metric("expectancy", "Expectancy", "cash", expectancy),
    Metric("expectancy_r", "Expectancy in R", "ratio", expectancy_r),
    Metric("exposure", "Exposure", "share", exposure),
    Metric("turnover", "Turnover", "ratio", turnover),
    Metric("fees_paid", "Fees", "cash", fees_paid),
    Metric("slippage_paid", "Slippage", "cash", slippage_paid),
    Metric("average_holding", "Average holding time", "ms", average_holding),
    Metric("best_trip", "Best round trip", "cash", best_trip),
    Metric("worst_trip", "Worst round trip", "cash", worst_trip),
    Metric("longest_losing_run", "Longest losing run", "count", longest_losing_run),
)


def all_metrics(of: Account) -> dict[str, float | None]:
    """Return every figure by key; None where it is unknown."""
    return {metric.key: metric.compute(of) for metric in METRICS}
