"""The backtesting engine: minutes and a strategy in, a result out."""

from __future__ import annotations

from typing import Any, Final, Protocol

import numpy as np

from backtests.domain.market import Market, MarketMinutes
from backtests.domain.records import (
    UNCHANGED,
    Events,
    Integers,
    Minutes,
    Rules,
    States,
    new_events,
    new_state,
)
from backtests.domain.result import BacktestResult
from backtests.domain.settings import Trading
from backtests.domain.units import Units, check_fits
from marketdata.domain.series import Floats, Series
from marketdata.domain.timeframe import MINUTE_MS, Timeframe

_FEWEST_EVENTS: Final = 1024


class WrongTargets(ValueError):
    """A strategy returned something else than one target a candle."""


class Strategy(Protocol):
    """What the engine asks of a strategy."""

    @property
    def warmup(self) -> int:
        """Candles before the first decision."""
        ...

    def process_data(self, candles: Series) -> Floats:
        """Return the target position after each candle; NaN for no decision."""
        ...

    def get_indicators(self, candles: Series) -> dict[str, Floats]:
        """Return what the decisions were made by, for charts."""
        ...


class BacktestingEngine:
    """Runs strategies over 1m candles of one instrument."""

    def __init__(self, market: Market, timeframe: Timeframe, trading: Trading) -> None:
        self.market, self.timeframe, self.trading = market, timeframe, trading
        self.units = Units.of(market.spec)
        minimum = int(np.ceil(float(market.minimum_size / market.spec.lot_size)))
        self.rules: Rules = trading.rules(
            self.units, timeframe, minimum_lots=minimum, is_margined=market.is_margined
        )

    def run(self, minutes: MarketMinutes, strategy: Strategy, start_ms: int) -> BacktestResult:
        """Trade from `start_ms` on; earlier minutes only warm the strategy up.

        Raises InvalidSetting, TooLarge and WrongTargets, and whatever the strategy raises.
        """
        candles = self.candles(minutes)
        decided = decisions_of(strategy.process_data(candles), len(candles))
        traded = minutes.since(start_ms)
        decisions = minute_decisions(traded.candles.open_time_ms, candles, decided)
        return self.execute(traded, decisions, candles, strategy.get_indicators(candles))

    def candles(self, minutes: MarketMinutes) -> Series:
        """Return what the strategy sees of the minutes: complete candles of its timeframe."""
        rows, spec = minutes.candles, self.market.spec
        if self.timeframe != Timeframe.M1:
            rows = rows.resampled(self.timeframe, spec)
        return Series(self.timeframe, spec, rows)

    def execute(
        self,
        minutes: MarketMinutes,
        decisions: Integers,
        candles: Series,
        indicators: dict[str, Floats],
    ) -> BacktestResult:
        """Run the kernel over `minutes` with a decision (or UNCHANGED) at each."""
        cash = self.units.cash_to_units(self.trading.cash)
        check_fits(self.units, minutes.highest_tick, cash)
        times = minutes.candles.open_time_ms
        equity = np.empty(len(minutes), np.int64)
        columns = Minutes(
            times,
            minutes.traded,
            minutes.opens,
            minutes.highs,
            minutes.lows,
            minutes.closes,
            decisions,
        )
        events = walked(new_state(cash), self.rules, columns, equity)
        return BacktestResult(
            units=self.units,
            rules=self.rules,
            start_cash=cash,
            close_times=times + MINUTE_MS,
            closes=minutes.closes,
            equity=equity,
            events=events,
            indicator_times=candles.close_times,
            indicators=indicators,
        )


def walked(state: States, rules: Rules, minutes: Minutes, equity: Integers) -> Events:
    """Walk all minutes, with as much room for events as it takes; return the events."""
    # Imported at the first use: importing Numba takes longer than starting a web process.
    from backtests.domain.kernels.execution import walk

    index, told, room = 0, [], _FEWEST_EVENTS
    while index < len(equity):
        events = new_events(room)
        index, count = walk(state, rules, minutes, index, equity, events, 0)
        told.append(events[:count])
        room *= 4
    return np.concatenate(told) if told else new_events(0)


def decisions_of(targets: Any, length: int) -> Integers:
    """Return a strategy's targets in millionths, UNCHANGED for NaN.

    Raises WrongTargets, naming what is wrong.
    """
    from backtests.domain.kernels.passes import to_decisions

    values = np.ascontiguousarray(targets, dtype=np.float64)
    if values.shape != (length,):
        raise WrongTargets(
            f"expected one target for each of {length} candles; the shape was {values.shape}"
        )
    decisions = np.empty(length, np.int64)
    done = to_decisions(values, decisions)
    if done < length:
        raise WrongTargets(f"expected targets from -1 to 1; one was {values[done]:g}")
    return decisions


def minute_decisions(open_times: Integers, candles: Series, decided: Integers) -> Integers:
    """Return the decision at the minute with which each candle closes, UNCHANGED at the others.

    `open_times` are those of the minutes. A candle whose last minute is not among them decides at
    the last one before its close.
    """
    if candles.timeframe == Timeframe.M1:
        return decided[len(decided) - len(open_times) :]
    decisions = np.full(len(open_times), UNCHANGED, np.int64)
    is_made = decided != UNCHANGED
    closes = candles.close_times[is_made]
    places = np.searchsorted(open_times, closes - MINUTE_MS, side="right") - 1
    inside = places >= 0
    decisions[places[inside]] = decided[is_made][inside]
    return decisions
