"""Minutes of one instrument while they form and close, from trades in order of id."""

from __future__ import annotations

from typing import Any

import numpy as np

from marketdata.domain.minutes import PartMinute, sum_minutes
from marketdata.domain.outbox import Outbox
from marketdata.domain.records import UNKNOWN, InstrumentSpec, Opening, Source, Trades
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.domain.voids import Voids


class MinuteBuilder:
    """Turns trades without missing ids into closed minutes.

    Every minute up to `closed_through_ms` (an open time) has been handed out or is not wanted;
    None while it is not known where to begin.
    """

    def __init__(self, spec: InstrumentSpec, voids: Voids) -> None:
        self.closed_through_ms: int | None = None
        self.last_close: float | None = None
        self.now_ms = 0
        self._spec = spec
        self._voids = voids
        # Ascending; more than one only when a restart found minutes that were not closed yet.
        self._open: list[PartMinute] = []
        # Trades before this are not wanted: their minutes would only be known in part.
        self._not_before_ms = 0
        self._is_before_start = False
        self._last_minute_ms = 0
        self._doubted_ms: int | None = None

    @property
    def forming(self) -> PartMinute | None:
        """The newest minute that has trades and is not closed."""
        return self._open[-1] if self._open else None

    def begin(self, closed_through_ms: int, last_close: float | None) -> None:
        """Set the first minute that is wanted: the one after `closed_through_ms`."""
        self.closed_through_ms = closed_through_ms
        self.last_close = last_close
        self._not_before_ms = closed_through_ms + MINUTE_MS
        self._is_before_start = True

    def reopen(self, trades: Trades) -> None:
        """Take up stored trades of minutes that are not closed yet."""
        for part in _parts(trades, self._spec):
            self._last_minute_ms = part.open_time_ms
            if self.closed_through_ms is None:
                self.closed_through_ms = part.open_time_ms - MINUTE_MS
            if part.open_time_ms > self.closed_through_ms:
                self._open.append(part)

    def consume(self, rows: Trades, out: Outbox) -> None:
        """Take the next trades in order of id, at least one."""
        if self._is_before_start:
            rows = self._from_start(rows)
            if not len(rows):
                return
        out.trades.append(rows)
        if len(self._open) > 1:
            self.close_before(self._open[-1].open_time_ms, out)
        minute = rows["time_ms"] // MINUTE_MS * MINUTE_MS
        floor_ms = self._floor_ms()
        if minute[0] < floor_ms or bool((minute[1:] < minute[:-1]).any()):
            is_late = minute < np.maximum(np.maximum.accumulate(minute), floor_ms)
            self._note_late(rows, is_late, out)
            rows = rows[~is_late]
        for part in _parts(rows, self._spec):
            self._grow(part, rows, out)
            self._last_minute_ms = part.open_time_ms

    def patch(self, rows: Trades, out: Outbox) -> None:
        """Take trades, in order of id, of ids that had been given up."""
        rows = rows[rows["time_ms"] >= self._not_before_ms]
        if not len(rows):
            return
        out.trades.append(rows)
        for part in _parts(rows, self._spec):
            forming = self.forming
            if forming is not None and part.open_time_ms == forming.open_time_ms:
                self._open[-1] = forming.joined(part)
            else:
                out.rebuild.add(part.open_time_ms)
                out.openings.append(_opening(part, rows))

    def close_before(self, end_ms: int, out: Outbox) -> None:
        """Hand out every minute that ends by `end_ms`: flat where it had no trade."""
        while self._open and self._open[0].open_time_ms < end_ms:
            part = self._open.pop(0)
            self._close_flat_before(part.open_time_ms, out)
            out.minutes.append(
                part.candle(minutes=self.whole(part.open_time_ms), closed_at_ms=self.now_ms)
            )
            self.closed_through_ms = part.open_time_ms
            self.last_close = part.close
        self._close_flat_before(end_ms, out)

    def whole(self, open_time_ms: int) -> int:
        """Return 1 for a minute of which every trade was seen, otherwise 0."""
        is_doubted = open_time_ms == self._doubted_ms
        return 0 if is_doubted or self._voids.touch(open_time_ms) else 1

    def doubt(self, open_time_ms: int) -> None:
        """Take a minute that is not closed for one with trades missing."""
        self._doubted_ms = open_time_ms

    def base_volume(self, open_time_ms: int) -> float:
        """Return the volume seen so far in a minute that is not closed."""
        for part in self._open:
            if part.open_time_ms == open_time_ms:
                return part.base_volume
        return 0.0

    def _from_start(self, rows: Trades) -> Trades:
        """Return `rows` without the leading ones that are too old; they only tell the price."""
        is_wanted = rows["time_ms"] >= self._not_before_ms
        first = int(np.argmax(is_wanted)) if is_wanted.any() else len(rows)
        self._is_before_start = first == len(rows)
        if first:
            self.last_close = float(rows["price"][first - 1])
        return rows[first:]

    def _floor_ms(self) -> int:
        """Return the first minute a trade may still enter."""
        if self._open:
            return self._open[-1].open_time_ms
        return 0 if self.closed_through_ms is None else self.closed_through_ms + MINUTE_MS

    def _grow(self, part: PartMinute, rows: Trades, out: Outbox) -> None:
        forming = self.forming
        if forming is not None and forming.open_time_ms == part.open_time_ms:
            self._open[-1] = forming.joined(part)
            return
        self.close_before(part.open_time_ms, out)
        self._open.append(part)
        out.openings.append(_opening(part, rows))

    def _close_flat_before(self, end_ms: int, out: Outbox) -> None:
        if self.closed_through_ms is None:
            self.closed_through_ms = end_ms - MINUTE_MS
        first_ms = self.closed_through_ms + MINUTE_MS
        for open_time_ms in range(first_ms, end_ms, MINUTE_MS):
            # A minute inside a hole that was given up is a gap: it must not look like a quiet one.
            if self.last_close is not None and self.whole(open_time_ms):
                out.minutes.append(_flat(open_time_ms, self.last_close, self.now_ms))
        self.closed_through_ms = max(self.closed_through_ms, end_ms - MINUTE_MS)

    def _note_late(self, rows: Trades, is_late: Any, out: Outbox) -> None:
        late = rows[is_late]
        minutes = np.unique(late["time_ms"] // MINUTE_MS * MINUTE_MS).tolist()
        minutes = [minute for minute in minutes if minute >= self._not_before_ms]
        out.rebuild.update(minutes)
        # Of a minute that was flat or left out until now; one that is known already stays.
        wanted = late[late["time_ms"] >= self._not_before_ms]
        out.openings.extend(_opening(part, wanted) for part in _parts(wanted, self._spec))
        if not self._open:
            self._note_late_after_quiet(minutes, rows, is_late, out)

    def _note_late_after_quiet(
        self, late_minutes: list[int], rows: Trades, is_late: Any, out: Outbox
    ) -> None:
        """Handle trades that come after their minutes were closed by time alone.

        Nothing had traded since, so every minute from the first late trade on was flat and its
        price changes too.
        """
        if late_minutes and self.closed_through_ms is not None:
            first_ms = max(late_minutes[0], self._last_minute_ms)
            out.rebuild.update(range(first_ms, self.closed_through_ms + 1, MINUTE_MS))
        on_time = np.flatnonzero(~is_late)
        leading = int(on_time[0]) if len(on_time) else len(rows)
        if leading:
            self.last_close = float(rows["price"][leading - 1])


def _parts(rows: Trades, spec: InstrumentSpec) -> list[PartMinute]:
    if not len(rows):
        return []
    sums = sum_minutes(rows, spec)
    return [sums.part(row) for row in range(len(sums.open_time_ms))]


def _opening(part: PartMinute, rows: Trades) -> Opening:
    first = rows[np.searchsorted(rows["trade_id"], part.first_trade_id)]
    return Opening(
        open_time_ms=part.open_time_ms,
        price=part.open,
        trade_id=int(first["trade_id"]),
        time_ms=int(first["time_ms"]),
    )


def _flat(open_time_ms: int, close: float, closed_at_ms: int) -> tuple[Any, ...]:
    return (
        open_time_ms,
        *(close, close, close, close),
        *(0.0, 0.0, 0),
        *(UNKNOWN, UNKNOWN, 1, int(Source.FLAT)),
        *(closed_at_ms, 0),
    )
