"""The market as it stands at an exchange time: nothing of the future can be seen through it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from marketdata.simulator.bars import BAR_MINUTES, NO_BARS, Bars, bar_open, bars_of, resample, rows
from marketdata.simulator.hashing import bits, key_of, part
from marketdata.simulator.instruments import Instrument
from marketdata.simulator.market import MINUTE_MS, Market
from marketdata.simulator.matches import Matches


@lru_cache(maxsize=8192)
def confirm_delay_ms(symbol: str, end_minute: int) -> int:
    """Return how long after its end a bar is confirmed: 3.0 to 4.0 s, as recorded."""
    random_bits = bits(key_of(symbol, "confirm"), np.array([end_minute], np.int64))
    return 3_000 + int(part(random_bits, 0, 10)[0]) * 1000 // 1024


@dataclass(frozen=True, slots=True)
class View:
    """One market at one time."""

    market: Market
    now_ms: int

    def instrument(self, symbol: str) -> Instrument:
        return self.market.instruments[symbol]

    def last_match(self, symbol: str) -> Matches:
        """Return the newest match, or none before the first."""
        return self.newest_matches(symbol, 1)

    def newest_matches(self, symbol: str, limit: int) -> Matches:
        return self.matches_before(symbol, None, limit)

    def matches_before(self, symbol: str, before_id: int | None, limit: int) -> Matches:
        """Return up to `limit` matches older than `before_id` (None: newest), ascending."""
        newest = self.market.last_id(symbol, self.now_ms)
        end = newest + 1 if before_id is None else min(before_id, newest + 1)
        return self.market.matches_before(symbol, end, limit)

    def id_before(self, symbol: str, time_ms: int) -> int:
        """Return the first id that is not older than `time_ms`, or the one after the newest."""
        return self.market.last_id(symbol, min(time_ms - 1, self.now_ms)) + 1

    def bars(self, symbol: str, bar: str, first_minute: int, end_minute: int) -> Bars:
        """Return the bars that open in first_minute <= minute < end_minute, the running one too.

        The running bar holds the trades up to now; a minute without a trade yet is flat.
        """
        first = bar_open(bar, first_minute)
        if first < first_minute:
            first += BAR_MINUTES[bar]
        last = bar_open(bar, end_minute - 1) + BAR_MINUTES[bar]
        return resample(self.minutes(symbol, first, last), bar).between(first_minute, end_minute)

    def minutes(self, symbol: str, first_minute: int, end_minute: int) -> Bars:
        """Return 1m bars up to the running one."""
        running = self.now_ms // MINUTE_MS
        first = max(first_minute, self.market.first_minute(symbol))
        end = min(end_minute, running)
        closed = self.market.bars(symbol, first, end) if first < end else NO_BARS
        if not first <= running < end_minute:
            return closed
        return Bars.joined([closed, self.running_minute(symbol)])

    def running_minute(self, symbol: str) -> Bars:
        """Return the 1m bar of the trades so far; none before the first trade ever."""
        running = self.now_ms // MINUTE_MS
        matches = self.market.matches(symbol, running * MINUTE_MS - 1, self.now_ms)
        before = int(matches.ticks[0]) if len(matches) else self._close_before(symbol, running)
        if before is None:
            return NO_BARS
        return bars_of(self.instrument(symbol), matches, running, running + 1, before)

    def _close_before(self, symbol: str, minute: int) -> int | None:
        bars = self.market.bars(symbol, minute - 1, minute)
        return int(bars.closes[-1]) if len(bars) else None

    def confirmed_before(self, symbol: str, bar: str) -> int:
        """Return the opening minute of the oldest bar that is not confirmed yet."""
        opened = bar_open(bar, self.now_ms // MINUTE_MS)
        delay = confirm_delay_ms(symbol, opened)
        if self.now_ms < opened * MINUTE_MS + delay:
            return opened - BAR_MINUTES[bar]
        return opened

    def rows(self, symbol: str, bar: str, bars: Bars) -> list[list[str]]:
        """Return the exchange's rows of `bars`, oldest first."""
        return rows(self.instrument(symbol), bars, self.confirmed_before(symbol, bar))
