"""candle{bar} pushes: the running bar, and each closed bar once."""

from __future__ import annotations

from typing import Final

from marketdata.simulator.bars import BAR_MINUTES, NO_BARS, Bars, bar_open, resample
from marketdata.simulator.feeds import message
from marketdata.simulator.market import MINUTE_MS
from marketdata.simulator.view import View, confirm_delay_ms


class CandleFeed:
    """candle{bar}: the running bar at most once a second, each closed bar once, 3 to 4 s late."""

    PAUSE_MS: Final = 1000

    def __init__(self, symbol: str, bar: str) -> None:
        self._symbol = symbol
        self._bar = bar
        self._unconfirmed: int | None = None
        self._shown: list[str] = []
        self._shown_ms = 0
        self._closed_until = -1
        self._closed_minutes = NO_BARS

    @property
    def channel(self) -> str:
        return f"candle{self._bar}"

    def initial(self, view: View) -> list[bytes]:
        row = self._running(view)
        return [] if row is None else [message(self.channel, self._symbol, row)]

    def step(self, after_ms: int, view: View, on_grid: bool) -> list[bytes]:
        if not on_grid:
            return []
        closed = self._closed(view)
        rows = closed + self._changed(view, forced=bool(closed))
        return [message(self.channel, self._symbol, row) for row in rows]

    def _closed(self, view: View) -> list[list[str]]:
        """Return the rows that became due to be confirmed."""
        length = BAR_MINUTES[self._bar]
        if self._unconfirmed is None:
            self._unconfirmed = view.confirmed_before(self._symbol, self._bar)
        rows = []
        while self._is_due(end := self._unconfirmed + length, view.now_ms):
            bars = view.bars(self._symbol, self._bar, self._unconfirmed, end)
            rows += [[*row[:-1], "1"] for row in view.rows(self._symbol, self._bar, bars)]
            self._unconfirmed = end
        return rows

    def _is_due(self, end_minute: int, now_ms: int) -> bool:
        delay = confirm_delay_ms(self._symbol, end_minute)
        return now_ms >= end_minute * MINUTE_MS + delay

    def _changed(self, view: View, forced: bool) -> list[list[str]]:
        if not forced and view.now_ms - self._shown_ms < self.PAUSE_MS:
            return []
        row = self._running(view)
        # A bar without a trade yet first shows itself when the one before is confirmed.
        if row is None or row == self._shown or (not forced and row[5] == "0"):
            return []
        self._shown, self._shown_ms = row, view.now_ms
        return [row]

    def _running(self, view: View) -> list[str] | None:
        """Return the row of the running bar: its closed minutes, kept, and the running one."""
        minute = view.now_ms // MINUTE_MS
        opened = bar_open(self._bar, minute)
        if self._closed_until != minute:
            self._closed_until = minute
            self._closed_minutes = self._made_of(view, opened, minute)
        parts = [self._closed_minutes, view.running_minute(self._symbol)]
        rows = view.rows(self._symbol, self._bar, resample(Bars.joined(parts), self._bar))
        return rows[-1] if rows else None

    def _made_of(self, view: View, opened: int, minute: int) -> Bars:
        if minute == opened:
            return NO_BARS
        return resample(view.minutes(self._symbol, opened, minute), self._bar)
