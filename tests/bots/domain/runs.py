"""A run lived through half by half, as a bot does, with all that may befall one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import numpy as np

from backtests.domain.engine import decisions_of, minute_decisions
from backtests.domain.kernels.execution import close_minute, obey, open_minute
from backtests.domain.market import MarketMinutes
from backtests.domain.records import UNCHANGED, Kind, new_events, new_state
from backtests.domain.roundtrips import fills_of
from bots.domain.halves import CLOSE, OPENING, Place
from bots.domain.parity.comparing import Booked, Dropped, Recorded, Worth
from bots.domain.parity.inputs import Given, Inputs
from bots.domain.parity.replay import Decision
from marketdata.domain.columns import COLUMN_TYPES, CandleColumns
from marketdata.domain.timeframe import Timeframe
from strategies.domain.registry import create_strategy
from tests.backtests.domain.market import MINUTE, engine


@dataclass
class Lived:
    """What became of a run that was driven by hand."""

    decisions: list[Decision] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    worths: list[Worth] = field(default_factory=list)
    last: Any = None

    def recorded(self) -> Recorded:
        fills = [fills_of(events) for events in self.events]
        rows = [Booked(*row) for part in fills for row in part[list(Booked._fields)].tolist()]
        others = [
            Dropped(*row)
            for events in self.events
            for row in events[list(Dropped._fields)].tolist()
            if row[1] in (Kind.SKIPPED, Kind.CANCELLED)
        ]
        return Recorded(self.decisions, rows, others, self.worths, self.last)


def market(count: int, seed: int = 1, *, quiet: float = 0.1) -> CandleColumns:
    """Return minutes of a walk in steps of the tick, some of them without a trade."""
    random = np.random.default_rng(seed)
    closes = 200 + np.cumsum(random.integers(-3, 4, count)) * 0.5
    closes = np.maximum(closes, 20)
    opens = np.append(closes[:1], closes[:-1]) + random.integers(-1, 2, count) * 0.5
    volume = np.where(random.random(count) < quiet, 0.0, 1.0)
    opens = np.where(volume == 0, np.append(closes[:1], closes[:-1]), opens)
    closes = closes.copy()
    for index in np.flatnonzero(volume == 0):
        closes[index] = opens[index] = closes[index - 1] if index else closes[0]
    high, low = np.maximum(opens, closes) + 0.5, np.minimum(opens, closes) - 0.5
    return CandleColumns(
        np.arange(count, dtype=np.int64) * MINUTE,
        opens,
        np.where(volume == 0, closes, high),
        np.where(volume == 0, closes, low),
        closes,
        volume,
        np.ones(count, np.int16),
        np.zeros(count, np.int16),
    )


def inputs_of(
    candles: CandleColumns,
    *,
    timeframe: Timeframe = Timeframe.M1,
    start: int = 0,
    until: Place | None = None,
    openings: dict[int, int] | None = None,
    opened: tuple[int, ...] = (),
    missed: tuple[int, ...] = (),
    commands: tuple[Given, ...] = (),
    strategy: str = "ema_crossover",
    params: dict[str, Any] | None = None,
    **trading: Any,
) -> Inputs:
    """Return the inputs of a run from minute number `start` on, to the end of the candles."""
    made = engine(timeframe, **trading)
    chosen = {"fast": 2, "slow": 5} if params is None else params
    minutes = MarketMinutes.of(candles, made.units)
    end_ms = int(candles.open_time_ms[-1]) + MINUTE if len(candles) else start * MINUTE
    return Inputs(
        engine=made,
        strategy=create_strategy(strategy, chosen, timeframe),
        candles=minutes,
        minutes=minutes.since(start * MINUTE),
        openings=openings or {},
        opened=frozenset(opened),
        missed=frozenset(missed),
        undecided=frozenset(),
        commands=commands,
        first=new_state(made.units.cash_to_units(Decimal(1000))),
        start_ms=start * MINUTE,
        until=until or Place(end_ms, OPENING),
    )


class _Driver:
    """Does one half of a minute after the other."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs, self.lived = inputs, Lived()
        self.state, self.commands = inputs.first.copy(), list(inputs.commands)
        self.wanted = int(self.state["target"][0])

    def tell(self, call: Any, *arguments: Any) -> None:
        events = new_events(50)
        count = call(self.state[0], self.inputs.engine.rules, *arguments, events, 0)
        self.lived.events.append(events[:count])

    def obey(self, place: Place) -> None:
        while self.commands and self.commands[0].place <= place:
            given = self.commands.pop(0)
            self.tell(obey, given.place.minute_ms, given.command, given.tick)

    def open(self, time_ms: int, tick: int | None) -> None:
        self.obey(Place(time_ms, OPENING))
        if tick is not None:
            self.tell(open_minute, time_ms, tick)

    def close(self, time_ms: int, prices: tuple[int, ...], target: int, *, traded: bool) -> None:
        self.obey(Place(time_ms, CLOSE))
        close_ms = time_ms + MINUTE
        may_enter = close_ms not in self.inputs.missed
        self.tell(close_minute, time_ms, traded, *prices, target, may_enter)
        if target not in (UNCHANGED, self.wanted):
            self.lived.decisions.append(Decision(close_ms, self.wanted, target))
            self.wanted = target
        self.lived.worths.append(Worth(close_ms, int(self.state["equity"][0])))


def live(inputs: Inputs) -> Lived:
    """Live through the inputs minute by minute, each half on its own."""
    driver, traded, until = _Driver(inputs), inputs.minutes, inputs.until
    candles = inputs.engine.candles(inputs.candles)
    decided = decisions_of(inputs.strategy.process_data(candles), len(candles))
    times = traded.candles.open_time_ms.tolist()
    targets = minute_decisions(traded.candles.open_time_ms, candles, decided).tolist()
    for time_ms in sorted({*times, *inputs.opened}):
        if time_ms >= until.minute_ms:
            break
        if time_ms in inputs.opened:
            driver.open(time_ms, inputs.openings[time_ms])
            continue
        index = times.index(time_ms)
        had_volume = bool(traded.traded[index])
        tick = inputs.openings.get(time_ms, int(traded.opens[index]))
        columns = (traded.highs, traded.lows, traded.closes)
        prices = (tick, *(int(column[index]) for column in columns))
        driver.open(time_ms, tick if had_volume else None)
        driver.close(time_ms, prices, targets[index], traded=had_volume)
    driver.obey(Place(until.minute_ms, OPENING))
    if until.phase == CLOSE:
        driver.open(until.minute_ms, inputs.openings.get(until.minute_ms))
        driver.obey(Place(until.minute_ms, CLOSE))
    driver.lived.last = driver.state
    return driver.lived


def changed(candles: CandleColumns, index: int, **values: float) -> CandleColumns:
    """Return the candles with other figures in one of them."""
    columns = {name: candles[name].copy() for name in COLUMN_TYPES}
    for name, value in values.items():
        columns[name][index] = value
    return replace(candles, **columns)


def without(candles: CandleColumns, *indices: int) -> CandleColumns:
    """Return the candles without some of them."""
    return candles[~np.isin(np.arange(len(candles)), indices)]
