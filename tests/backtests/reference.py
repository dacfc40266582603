"""Backtests written out plainly, sharing no code with the engine.

Long or flat on spot, all of the equity, whole numbers as the exchange has them: prices in cents,
sizes in 0.00001, cash in 0.00000001.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import pandas as pd

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
    lengths_ms: list[int] = field(default_factory=list)
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
            self.lengths_ms.append(time_ms - self.entered_ms)
            self.held_ms += self.lengths_ms[-1]

    def _book(self, time_ms: int, lots: int, price: int, slip: int) -> None:
        fee = fee_of(abs(lots) * price, self.fee_bps)
        self.cash -= lots * price * PER_TICK_LOT + fee
        self.lots += lots
        self.slippage += slip * abs(lots) * PER_TICK_LOT
        self.fills.append((time_ms, lots, price, fee))


def trade(candles, step: int, targets: list[bool | None], cash: int, fee_bps: int, slip_bps: int):
    """Return what following `targets`, one for each candle of `step` minutes, comes to.

    True is long, False is out, None is no decision. The year has every minute.
    """
    times = candles["open_time_ms"].tolist()
    opens = [round(price * 100) for price in candles["open"].tolist()]
    closes = [round(price * 100) for price in candles["close"].tolist()]
    volumes = candles["volume"].tolist()
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
        target = targets[index // step] if (index + 1) % step == 0 else None
        if target is None:
            continue
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


def figures(outcome: Outcome, candles, start: int) -> dict[str, float]:
    """Return the metrics of an outcome, each by its definition."""
    closes = pd.to_datetime(candles["open_time_ms"] + MINUTE_MS, unit="ms")
    equity = pd.Series(outcome.equity, index=closes, dtype=float)
    begin = closes[0] - pd.Timedelta(minutes=1)
    whole = pd.concat([pd.Series([float(start)], index=[begin]), equity])
    days = whole[whole.index == whole.index.normalize()]
    daily = days.pct_change().dropna()
    years = (closes[-1] - begin) / pd.Timedelta(days=365)
    grown = (whole.iloc[-1] / start) ** (1 / years) - 1
    depth = (1 - whole / whole.cummax()).max()
    trips = pd.Series(outcome.profits, dtype=float)
    won, lost = trips[trips > 0], trips[trips < 0]
    runs = [len(list(run)) for is_lost, run in groupby(trips < 0) if is_lost]
    prices = pd.Series(candles["close"])
    traded = sum(abs(lots) * price for _, lots, price, _ in outcome.fills) * PER_TICK_LOT
    return {
        "total_return": whole.iloc[-1] / start - 1,
        "buy_and_hold": prices.iloc[-1] / prices.iloc[0] - 1,
        "cagr": grown,
        "sharpe": daily.mean() / daily.std() * np.sqrt(365),
        "sortino": daily.mean() / np.sqrt((daily.clip(upper=0) ** 2).mean()) * np.sqrt(365),
        "volatility": daily.std() * np.sqrt(365),
        "max_drawdown": depth,
        "calmar": grown / depth,
        "round_trips": len(trips),
        "win_rate": len(won) / len(trips),
        "draw_rate": (trips == 0).mean(),
        "profit_factor": won.sum() / -lost.sum(),
        "expectancy": trips.mean() / CASH,
        "exposure": pd.Timedelta(outcome.held_ms, unit="ms") / (closes[-1] - begin),
        "turnover": traded / start,
        "fees_paid": sum(fee for *_, fee in outcome.fills) / CASH,
        "slippage_paid": outcome.slippage / CASH,
        "average_holding": sum(outcome.lengths_ms) / len(outcome.lengths_ms),
        "best_trip": trips.max() / CASH,
        "worst_trip": trips.min() / CASH,
        "longest_losing_run": max(runs),
    }


def freqtrade_figures(outcome: Outcome, candles, start: int) -> dict[str, float]:
    """Return freqtrade's figures of closed trades, written from its definitions."""
    profits = pd.Series(outcome.profits, dtype=float)
    ratios = profits / start
    first, last = candles["open_time_ms"][[0, -1]].tolist()
    days = (last - first) // DAY_MS
    daily = ratios.sum() / days
    balance = pd.concat([pd.Series([0.0]), profits.cumsum()], ignore_index=True)
    deepest = (balance - balance.cummax()).idxmin()
    depth = 1 - (start + balance[deepest]) / (start + balance.cummax()[deepest])
    won, lost = profits[profits > 0], profits[profits < 0]
    rate = len(won) / len(profits)
    return {
        "total_return": ratios.sum(),
        "cagr": (1 + ratios.sum()) ** (365 / days) - 1,
        "sharpe": daily / ratios.std(ddof=0) * np.sqrt(365),
        "sortino": daily / (lost / start).std(ddof=0) * np.sqrt(365),
        "max_drawdown": depth,
        "calmar": daily * 100 / depth * np.sqrt(365),
        "win_rate": rate,
        "profit_factor": won.sum() / -lost.sum(),
        "expectancy": (rate * won.mean() + len(lost) / len(profits) * lost.mean()) / CASH,
        "expectancy_ratio": (1 + won.mean() / -lost.mean()) * rate - 1,
        "sqn": round(np.sqrt(len(ratios)) * ratios.mean() / ratios.std(), 4),
    }
