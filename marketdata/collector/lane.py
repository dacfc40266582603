"""Everything a collector holds for one instrument."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from marketdata.collector.watchdog import Activity
from marketdata.domain.forming import FormingCandles
from marketdata.domain.records import CANDLE_DTYPE, Candles, InstrumentSpec
from marketdata.domain.stream import InstrumentStream

Row = tuple[Any, ...]

CONFIRMED_LIMIT: Final = 1_000
"""Minutes that may wait for a hole to be filled; older ones are asked for over REST later."""


@dataclass(slots=True)
class Lane:
    """One instrument's way through the pipeline.

    `rows` are trades received and not yet given to the stream; `minute_end_ms` is when the
    minute of the newest one ends. `reached_ms` is how far the instrument's own channels have
    come: other instruments' events prove nothing about a stalled socket.
    """

    spec: InstrumentSpec
    stream: InstrumentStream
    forming: FormingCandles
    rows: list[Row] = field(default_factory=list)
    minute_end_ms: int = 0
    reached_ms: int = 0
    # When its collection began, in exchange time.
    since_ms: int = 0
    activity: Activity = field(default_factory=Activity)
    last_volume: tuple[int, float] | None = None
    # Closed minutes: all of them, and those that the writer has not stored yet.
    minutes_closed: int = 0
    minutes_waiting: int = 0
    closed_through_ms: int = 0
    shown_trades: int = -1
    # Open time and volume of a minute of which the exchange counts other trades than came in.
    doubted: tuple[int, float] | None = None
    # The exchange's own closed candles, by open time, until the stream has closed the minute.
    confirmed: dict[int, Row] = field(default_factory=dict)

    @property
    def symbol(self) -> str:
        return self.spec.symbol

    @property
    def event_ms(self) -> int:
        """The exchange time of its newest trade or candle push; before the first, of its start."""
        return max(self.reached_ms, self.since_ms)

    def note_stored(self, number: int) -> bool:
        """Note that closed minutes were stored; return whether all of the day are known here.

        Others load its history and repair its gaps meanwhile.
        """
        self.minutes_waiting -= number
        return self.forming.is_whole

    def confirm(self, row: Row) -> None:
        """Keep a closed candle of the exchange, a row of CANDLE_DTYPE."""
        if len(self.confirmed) == CONFIRMED_LIMIT:
            del self.confirmed[min(self.confirmed)]
        self.confirmed[row[0]] = row

    def take_confirmed(self) -> Candles:
        """Return and forget the exchange's candles of minutes that are closed here too."""
        ready = sorted(time for time in self.confirmed if time <= self.closed_through_ms)
        return np.array([self.confirmed.pop(time) for time in ready], dtype=CANDLE_DTYPE)
