"""The backtesting engine: minutes and a strategy in, a result out."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Protocol

import numpy as np

from backtests.domain.records import (
    PPM,
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
from marketdata.domain.records import Candles, InstrumentSpec
from marketdata.domain.resampling import resample
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


@dataclass(frozen=True, slots=True)
class Market:
    """What the engine must know of the instrument beside its candles.

    `minimum_size` is the smallest order, in the unit of sizes.
    """

    spec: InstrumentSpec
    minimum_size: Decimal
    is_margined: bool = False


class BacktestingEngine:
    """Runs strategies over 1m candles of one instrument."""

    def __init__(self, market: Market, timeframe: Timeframe, trading: Trading) -> None:
        self.market, self.timeframe, self.trading = market, timeframe, trading
        self.units = Units.of(market.spec)
        minimum = int(np.ceil(float(market.minimum_size / market.spec.lot_size)))
        self.rules: Rules = trading.rules(
            self.units, timeframe, minimum_lots=minimum, is_margined=market.is_margined
        )

    def run(self, minutes: Candles, strategy: Strategy, start_ms: int) -> BacktestResult:
        """Trade from `start_ms` on; earlier minutes only warm the strategy up.

        Raises InvalidSetting, TooLarge and WrongTargets, and whatever the strategy raises.
        """
        candles = self.candles(minutes)
        targets = checked_targets(strategy.process_data(candles), len(candles))
        first = int(np.searchsorted(minutes["open_time_ms"], start_ms))
        decisions = minute_targets(minutes[first:], candles, targets)
        return self.execute(minutes[first:], decisions, candles, strategy.get_indicators(candles))

    def candles(self, minutes: Candles) -> Series:
        """Return what the strategy sees of the minutes: complete candles of its timeframe."""
        if self.timeframe == Timeframe.M1:
            return Series(Timeframe.M1, self.market.spec, minutes)
        made = resample(minutes, self.timeframe, self.market.spec)
        return Series(
            self.timeframe, self.market.spec, made[made["minutes"] == self.timeframe.minutes]
        )

    def execute(
        self,
        minutes: Candles,
        decisions: Integers,
        candles: Series,
        indicators: dict[str, Floats],
    ) -> BacktestResult:
        """Run the kernel over `minutes` with a decision (or UNCHANGED) at each."""
        units = self.units
        opens, highs, lows, closes = (
            units.ticks(np.ascontiguousarray(minutes[name]))
            for name in ("open", "high", "low", "close")
        )
        cash = units.cash_to_units(self.trading.cash)
        check_fits(units, int(highs.max(initial=0)), cash)
        times = np.ascontiguousarray(minutes["open_time_ms"])
        traded = minutes["volume"] > 0
        equity = np.empty(len(minutes), np.int64)
        columns = Minutes(times, traded, opens, highs, lows, closes, decisions)
        events = walked(new_state(cash), self.rules, columns, equity)
        return BacktestResult(
            units=units,
            rules=self.rules,
            start_cash=cash,
            close_times=times + MINUTE_MS,
            closes=closes,
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


def checked_targets(targets: Any, length: int) -> Floats:
    """Return a strategy's targets as floats. Raises WrongTargets, naming what is wrong."""
    values = np.asarray(targets, dtype=np.float64)
    if values.shape != (length,):
        raise WrongTargets(
            f"expected one target for each of {length} candles; the shape was {values.shape}"
        )
    known = values[~np.isnan(values)]
    if len(known) and (np.abs(known) > 1).any():
        worst = known[np.argmax(np.abs(known))]
        raise WrongTargets(f"expected targets from -1 to 1; one was {worst:g}")
    return values


def minute_targets(minutes: Candles, candles: Series, targets: Floats) -> Integers:
    """Return the decision, in millionths, at the minute with which each candle closes.

    A candle whose last minute is not among `minutes` decides at the last one before its close.
    """
    decisions = np.full(len(minutes), UNCHANGED, np.int64)
    is_made = ~np.isnan(targets)
    wanted = np.rint(targets[is_made] * PPM).astype(np.int64)
    if candles.timeframe == Timeframe.M1 and len(minutes) == len(candles):
        decisions[is_made] = wanted
        return decisions
    closes = candles.close_times[is_made]
    places = np.searchsorted(minutes["open_time_ms"], closes - MINUTE_MS, side="right") - 1
    inside = places >= 0
    decisions[places[inside]] = wanted[inside]
    return decisions
