"""Everything a collector holds for one instrument."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from marketdata.collector.watchdog import Activity
from marketdata.domain.forming import FormingCandles
from marketdata.domain.records import InstrumentSpec
from marketdata.domain.stream import InstrumentStream

Row = tuple[Any, ...]


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
    activity: Activity = field(default_factory=Activity)
    last_volume: tuple[int, float] | None = None
    # Closed minutes: all of them, and those that the writer has not stored yet.
    minutes_closed: int = 0
    minutes_waiting: int = 0
    closed_through_ms: int = 0
    shown_trades: int = -1
    # Open time and volume of a minute of which the exchange counts other trades than came in.
    doubted: tuple[int, float] | None = None

    @property
    def symbol(self) -> str:
        return self.spec.symbol
