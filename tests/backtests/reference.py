"""A backtest of an EMA crossover written out plainly, sharing no code with the engine.

Long or flat on spot, all of the equity, whole numbers as the exchange has them: prices in cents,
sizes in 0.00001, cash in 0.00000001.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

MINUTE_MS = 60_000
DAY_MS = 86_400_000
CASH = 10**8
PER_TICK_LOT = 10  # one lot at one cent, in cash units


@dataclass
class Outcome:
    """An account and what it did."""

    cash: int
    fee_bps: int
    slip_bps: int
    lots: int = 0
    fills: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Open time, lots (negative when sold), price in cents, fee in cash units."""
    equity: list[int] = field(default_factory=list)
    profits: list[int] = field(default_factory=list)
    held_ms: int = 0
    slippage: int = 0
    before: int = 0
    entered_ms: int = 0

    def fill(self, time_ms: int, quoted: int, *, is_entry: bool) -> None:
        """Buy with everything, or sell everything, at the open `quoted`."""
        slip = -(-quoted * self.slip_bps // 10_000)
        if is_entry and not self.lots:
            # Less than one lot is no order.
            if lots := most(self.cash, quoted + slip, self.fee_bps):
                self.before, self.entered_ms = self.cash, time_ms
                self._book(time_ms, lots, quoted + slip, slip)
        elif self.lots and not is_entry:
            self._book(time_ms, -self.lots, quoted - slip, slip)
            self.profits.append(self.cash - self.before)
            self.held_ms += time_ms - self.entered_ms

    def _book(self, time_ms: int, lots: int, price: int, slip: int) -> None:
        fee = fee_of(abs(lots) * price, self.fee_bps)
        self.cash -= lots * price * PER_TICK_LOT + fee
        self.lots += lots
        self.slippage += slip * abs(lots) * PER_TICK_LOT
        self.fills.append((time_ms, lots, price, fee))


def ema(closes: list[float], period: int) -> list[float | None]:
    """Return the average seeded by the mean of the first `period` closes."""
    averages: list[float | None] = [None] * (period - 1)
    average = sum(closes[:period]) / period
    averages.append(average)
    for close in closes[period:]:
        average = average + 2 / (period + 1) * (close - average)
        averages.append(average)
    return averages


def trade(candles, step: int, fast: int, slow: int, cash: int, fee_bps: int, slip_bps: int):
    """Return what a crossover on candles of `step` minutes does; the year has every minute."""
    times = candles["open_time_ms"].tolist()
    opens = [round(price * 100) for price in candles["open"].tolist()]
    closes = [round(price * 100) for price in candles["close"].tolist()]
    volumes = candles["volume"].tolist()
    decided = candles["close"][step - 1 :: step].tolist()
    signals = list(zip(ema(decided, fast), ema(decided, slow), strict=True))
    done, wanted = Outcome(cash, fee_bps, slip_bps), None
    order: bool | None = None
    ordered_ms = 0
    for index, time_ms in enumerate(times):
        if order is not None and volumes[index] > 0:
            # Later than a candle of the strategy it is cancelled.
            if time_ms - ordered_ms <= step * MINUTE_MS:
                done.fill(time_ms, opens[index], is_entry=order)
            order = None
        done.equity.append(done.cash + done.lots * closes[index] * PER_TICK_LOT)
        quick, late = signals[index // step] if (index + 1) % step == 0 else (None, None)
        if quick is None or late is None or quick == late:
            continue
        target = quick > late
        # An exit that found no trade in time is ordered again.
        if target != wanted or (not target and done.lots and order is None):
            order, ordered_ms = target, time_ms + MINUTE_MS
        wanted = target
    if done.lots:
        done.held_ms += times[-1] + MINUTE_MS - done.entered_ms
    return done


def most(cash: int, price: int, fee_bps: int) -> int:
    """Return the most lots that cash pays for, fee included, by halving."""
    low, high = 0, cash // (price * PER_TICK_LOT) + 1
    while high - low > 1:
        middle = (low + high) // 2
        cost = middle * price * PER_TICK_LOT + fee_of(middle * price, fee_bps)
        low, high = (middle, high) if cost <= cash else (low, middle)
    return low


def fee_of(tick_lots: int, fee_bps: int) -> int:
    return -(-tick_lots * PER_TICK_LOT * fee_bps // 10_000)


def figures(outcome: Outcome, times_ms, start: int) -> dict[str, float]:
    """Return the metrics of an outcome, each by its textbook formula."""
    equity = np.array([start, *outcome.equity], dtype=float)
    closes_ms = [int(time_ms) + MINUTE_MS for time_ms in times_ms]
    days = [start] + [
        worth
        for time_ms, worth in zip(closes_ms, outcome.equity, strict=True)
        if time_ms % DAY_MS == 0
    ]
    daily = [after / before - 1 for before, after in pairwise(days)]
    mean = sum(daily) / len(daily)
    spread = math.sqrt(sum((one - mean) ** 2 for one in daily) / (len(daily) - 1))
    below = math.sqrt(sum(min(one, 0.0) ** 2 for one in daily) / len(daily))
    length_ms = closes_ms[-1] - (closes_ms[0] - MINUTE_MS)
    grown = (equity[-1] / start) ** (365 * DAY_MS / length_ms) - 1
    depth = float(np.max(1 - equity / np.maximum.accumulate(equity)))
    won = [one for one in outcome.profits if one > 0]
    lost = [one for one in outcome.profits if one < 0]
    return {
        "total_return": equity[-1] / start - 1,
        "cagr": grown,
        "sharpe": mean / spread * math.sqrt(365),
        "sortino": mean / below * math.sqrt(365),
        "volatility": spread * math.sqrt(365),
        "max_drawdown": depth,
        "calmar": grown / depth,
        "round_trips": len(outcome.profits),
        "win_rate": len(won) / len(outcome.profits),
        "profit_factor": sum(won) / -sum(lost),
        "expectancy": sum(outcome.profits) / len(outcome.profits) / CASH,
        "exposure": outcome.held_ms / length_ms,
        "fees_paid": sum(fee for *_, fee in outcome.fills) / CASH,
        "slippage_paid": outcome.slippage / CASH,
        "best_trip": max(outcome.profits) / CASH,
        "worst_trip": min(outcome.profits) / CASH,
        "turnover": sum(abs(lots) * price for _, lots, price, _ in outcome.fills)
        * PER_TICK_LOT
        / start,
    }
