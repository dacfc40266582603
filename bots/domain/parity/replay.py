"""A run again: in long stretches as a backtest, half by half where a bot may differ from one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from backtests.domain.engine import decisions_of, walked
from backtests.domain.market import MarketMinutes
from backtests.domain.records import (
    UNCHANGED,
    Events,
    Integers,
    Minutes,
    States,
    new_events,
)
from bots.domain.halves import CLOSE, OPENING, Place
from bots.domain.parity.inputs import Inputs
from marketdata.domain.timeframe import MINUTE_MS

_ROOM: Final = 16
"""Events that half a minute or a command may write, and more."""


class Decision(NamedTuple):
    """A change of what the strategy wants, in millionths of a position."""

    close_ms: int
    before: int
    target: int


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """What a run comes to: its events, the account at the close of each minute, and its end."""

    decisions: tuple[Decision, ...]
    events: Events
    close_times: Integers
    equity: Integers
    last: States


def replay(inputs: Inputs) -> Replayed:
    """Return what the inputs come to. Raises whatever the strategy raises, and WrongTargets."""
    end_ms = inputs.until.minute_ms
    candles = inputs.engine.candles(_before(inputs.candles, end_ms))
    decided = decisions_of(inputs.strategy.process_data(candles), len(candles))
    traded = _before(inputs.minutes, end_ms)
    decided[np.isin(candles.close_times, list(inputs.undecided))] = UNCHANGED
    targets = _targets(traded.candles.open_time_ms, candles.close_times, decided)
    walk = _Walk(inputs, traded, targets)
    for index in walk.special():
        walk.stretch(index)
        walk.halves(index)
    walk.stretch(len(traded))
    walk.rest()
    return Replayed(
        decisions=tuple(_changes(int(inputs.first["target"][0]), walk.close_times, targets)),
        events=np.concatenate(walk.told) if walk.told else new_events(0),
        close_times=walk.close_times,
        equity=walk.equity,
        last=walk.state,
    )


class _Walk:
    """One replay under way."""

    def __init__(self, inputs: Inputs, minutes: MarketMinutes, targets: Integers) -> None:
        self.inputs, self.rules = inputs, inputs.engine.rules
        self.state, self.told = inputs.first.copy(), list[Events]()
        self.times = minutes.candles.open_time_ms
        self.close_times = self.times + MINUTE_MS
        self.equity = np.empty(len(minutes), np.int64)
        self.minutes = Minutes(
            self.times,
            minutes.traded,
            self._opens(minutes),
            minutes.highs,
            minutes.lows,
            minutes.closes,
            targets,
        )
        self._commands = sorted(inputs.commands, key=lambda given: given.place)
        self._opened = sorted(inputs.opened)
        self._done = 0

    def _opens(self, minutes: MarketMinutes) -> Integers:
        """Return the prices that opening halves fill at."""
        opens = minutes.opens.copy()
        for open_ms, tick in self.inputs.openings.items():
            index = int(np.searchsorted(self.times, open_ms))
            if index < len(opens) and self.times[index] == open_ms:
                opens[index] = tick
        return opens

    def special(self) -> list[int]:
        """Return the minutes, by index, that a backtest would do otherwise than the bot did."""
        moments = [given.place.minute_ms for given in self._commands]
        moments += [close_ms - MINUTE_MS for close_ms in self.inputs.missed]
        moments += self.inputs.opened
        places = np.searchsorted(self.times, np.array(sorted(set(moments)), np.int64))
        return [int(place) for place in np.unique(places) if place < len(self.times)]

    def stretch(self, end: int) -> None:
        """Do the minutes up to index `end` as a backtest does."""
        if self._done < end:
            part = slice(self._done, end)
            minutes = Minutes._make(column[part] for column in self.minutes)
            self.told.append(walked(self.state, self.rules, minutes, self.equity[part]))
            self._done = end

    def halves(self, index: int) -> None:
        """Do one minute half by half, with the commands that were given before each."""
        from backtests.domain.kernels.execution import close_minute

        minutes, time_ms = self.minutes, int(self.times[index])
        traded = bool(minutes.traded[index])
        self._open_until(time_ms)
        self._obey(time_ms, OPENING)
        if traded:
            self._open(time_ms, int(minutes.opens[index]))
        self._obey(time_ms, CLOSE)
        events = new_events(_ROOM)
        count = close_minute(
            self.state[0],
            self.rules,
            time_ms,
            traded,
            int(minutes.opens[index]),
            int(minutes.highs[index]),
            int(minutes.lows[index]),
            int(minutes.closes[index]),
            int(minutes.targets[index]),
            time_ms + MINUTE_MS not in self.inputs.missed,
            events,
            0,
        )
        self.told.append(events[:count])
        self.equity[index] = self.state["equity"][0]
        self._done = index + 1

    def rest(self) -> None:
        """Do what was done of the minute that the run stands in."""
        until, openings = self.inputs.until, self.inputs.openings
        self._open_until(until.minute_ms)
        self._obey(until.minute_ms, OPENING)
        if until.phase == CLOSE:
            if until.minute_ms in openings:
                self._open(until.minute_ms, openings[until.minute_ms])
            self._obey(until.minute_ms, CLOSE)

    def _open_until(self, end_ms: int) -> None:
        """Do the opening halves before `end_ms` of minutes that had no other."""
        while self._opened and self._opened[0] < end_ms:
            time_ms = self._opened.pop(0)
            self._obey(time_ms, OPENING)
            self._open(time_ms, self.inputs.openings[time_ms])

    def _open(self, time_ms: int, tick: int) -> None:
        from backtests.domain.kernels.execution import open_minute

        events = new_events(_ROOM)
        count = open_minute(self.state[0], self.rules, time_ms, tick, events, 0)
        self.told.append(events[:count])

    def _obey(self, time_ms: int, phase: int) -> None:
        """Carry out the commands that were given before this half of the minute."""
        from backtests.domain.kernels.execution import obey

        while self._commands and self._commands[0].place <= Place(time_ms, phase):
            given = self._commands.pop(0)
            events = new_events(_ROOM)
            count = obey(
                self.state[0],
                self.rules,
                given.place.minute_ms,
                given.command,
                given.tick,
                events,
                0,
            )
            self.told.append(events[:count])


def _before(minutes: MarketMinutes, end_ms: int) -> MarketMinutes:
    """Return the minutes that open before `end_ms`."""
    end = int(np.searchsorted(minutes.candles.open_time_ms, end_ms))
    if end == len(minutes):
        return minutes
    return MarketMinutes(
        minutes.candles[:end],
        minutes.opens[:end],
        minutes.highs[:end],
        minutes.lows[:end],
        minutes.closes[:end],
        minutes.traded[:end],
        minutes.highest_tick,
    )


def _targets(open_times: Integers, close_times: Integers, decided: Integers) -> Integers:
    """Return what is decided at the minute with which each candle closes.

    What is decided at a minute that the run did not see does nothing.
    """
    targets = np.full(len(open_times), UNCHANGED, np.int64)
    _, places, decisions = np.intersect1d(
        open_times, close_times - MINUTE_MS, assume_unique=True, return_indices=True
    )
    targets[places] = decided[decisions]
    return targets


def _changes(wanted: int, close_times: Integers, targets: Integers) -> Iterator[Decision]:
    """Yield the decisions after which something else was wanted."""
    for index in np.flatnonzero(targets != UNCHANGED).tolist():
        target = int(targets[index])
        if target != wanted:
            yield Decision(int(close_times[index]), wanted, target)
        wanted = target
