"""What decided a run: with the same inputs it must come out the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from backtests.domain.engine import BacktestingEngine, Strategy
from backtests.domain.market import MarketMinutes
from backtests.domain.records import States
from bots.domain.halves import Place


class Given(NamedTuple):
    """A command and where it took effect; `tick` is the last trade, 0 for the next open."""

    place: Place
    command: int
    tick: int


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Everything that a run depended on.

    `candles` are the minutes from its anchor on, as its strategy saw them, `minutes` those that
    it traded through; what opens behind `until` is not looked at. `openings` are the first trades
    of minutes, in ticks by open time; a minute without one fills at its candle's open. Of the
    minutes `opened` (open times) there was an opening and nothing else: their candles were waited
    for in vain. Decisions at the close times `missed` came too late for an entry, at those that are
    `undecided` there was none: the strategy was gone, it failed, or it was not to be waited for.
    """

    engine: BacktestingEngine
    strategy: Strategy
    candles: MarketMinutes
    minutes: MarketMinutes
    openings: Mapping[int, int]
    opened: frozenset[int]
    missed: frozenset[int]
    undecided: frozenset[int]
    commands: tuple[Given, ...]
    first: States
    start_ms: int
    until: Place
