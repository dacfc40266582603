"""A run lived through half by half, as a bot does, with all that may befall one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import numpy as np

from backtests.domain.engine import decisions_of, minute_decisions
from backtests.domain.kernels.execution import close_minute, obey, open_minute
from backtests.domain.market import MarketMinutes
from backtests.domain.records import UNCHANGED, new_events, new_state
from backtests.domain.roundtrips import fills_of
from bots.domain.parity.comparing import Booked, Recorded, Worth
from bots.domain.parity.inputs import CLOSE, OPENING, Given, Inputs, Place
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
        return Recorded(self.decisions, rows, self.worths, self.last)


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
    missed: tuple[int, ...] = (),
    commands: tuple[Given, ...] = (),
    strategy: str = "ema_crossover",
    params: dict[str, Any] | None = None,
    **trading: Any,
) -> Inputs:
    """Return the inputs of a run from minute number `start` on, to the end of the candles."""
    made = engine(timeframe, **trading)
    chosen = {"fast": 2, "slow": 5} if params is None else params
    end_ms = int(candles.open_time_ms[-1]) + MINUTE if len(candles) else start * MINUTE
    return Inputs(
        engine=made,
        strategy=create_strategy(strategy, chosen, timeframe),
        minutes=MarketMinutes.of(candles, made.units),
        openings=openings or {},
        missed=frozenset(missed),
        commands=commands,
        first=new_state(made.units.cash_to_units(Decimal(1000))),
        start_ms=start * MINUTE,
        until=until or Place(end_ms, OPENING),
    )


def live(inputs: Inputs) -> Lived:
    """Live through the inputs minute by minute, each half on its own."""
    lived, minutes = Lived(), inputs.minutes
    candles = inputs.engine.candles(minutes)
    decided = decisions_of(inputs.strategy.process_data(candles), len(candles))
    traded = minutes.since(inputs.start_ms)
    targets = minute_decisions(traded.candles.open_time_ms, candles, decided)
    state, rules = inputs.first.copy(), inputs.engine.rules
    commands = list(inputs.commands)

    def told(call: Any, *arguments: Any) -> None:
        events = new_events(50)
        lived.events.append(events[: call(state[0], rules, *arguments, events, 0)])

    def obeyed(place: Place) -> None:
        while commands and commands[0].place <= place:
            given = commands.pop(0)
            told(obey, given.place.minute_ms, given.command, given.tick)

    wanted = int(state["target"][0])
    for index, time_ms in enumerate(traded.candles.open_time_ms.tolist()):
        if time_ms >= inputs.until.minute_ms:
            break
        tick = inputs.openings.get(time_ms, int(traded.opens[index]))
        obeyed(Place(time_ms, OPENING))
        if traded.traded[index] or time_ms in inputs.openings:
            told(open_minute, time_ms, tick)
        obeyed(Place(time_ms, CLOSE))
        prices = (traded.highs, traded.lows, traded.closes)
        values = [int(column[index]) for column in prices]
        target = int(targets[index])
        may_enter = time_ms + MINUTE not in inputs.missed
        had_volume = bool(traded.traded[index])
        told(close_minute, time_ms, had_volume, tick, *values, target, may_enter)
        if target not in (UNCHANGED, wanted):
            lived.decisions.append(Decision(time_ms + MINUTE, wanted, target))
            wanted = target
        lived.worths.append(Worth(time_ms + MINUTE, int(state["equity"][0])))
    until = inputs.until
    obeyed(Place(until.minute_ms, OPENING))
    if until.phase == CLOSE:
        if until.minute_ms in inputs.openings:
            told(open_minute, until.minute_ms, inputs.openings[until.minute_ms])
        obeyed(Place(until.minute_ms, CLOSE))
    lived.last = state
    return lived


def changed(candles: CandleColumns, index: int, **values: float) -> CandleColumns:
    """Return the candles with other figures in one of them."""
    columns = {name: candles[name].copy() for name in COLUMN_TYPES}
    for name, value in values.items():
        columns[name][index] = value
    return replace(candles, **columns)


def without(candles: CandleColumns, *indices: int) -> CandleColumns:
    """Return the candles without some of them."""
    return candles[~np.isin(np.arange(len(candles)), indices)]
