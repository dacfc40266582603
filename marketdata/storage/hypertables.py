"""Which tables are hypertables where TimescaleDB is used, and how each is cut and compressed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from marketdata.domain.raw import RawChannel

SLICE_WIDTH: Final = (2**31 - 1) // len(RawChannel)


@dataclass(frozen=True, slots=True)
class Hypertable:
    """How a table is cut: `key` comes before `time` in its primary key."""

    table: str
    key: tuple[str, ...]
    time: str
    chunk: timedelta
    segment_by: str
    order_by: str
    compress_after: timedelta
    copied_at_once: timedelta
    is_sliced: bool = False
    """Whether every channel has chunks of its own, because each is kept for its own time."""

    @property
    def fresh(self) -> str:
        """The name of the new table until it takes the old one's place."""
        return f"{self.table}_hyper"


HYPERTABLES: Final = (
    Hypertable(
        table="marketdata_candle",
        key=("instrument_id", "timeframe"),
        time="open_time",
        chunk=timedelta(days=14),
        segment_by="instrument_id, timeframe",
        order_by="open_time desc",
        compress_after=timedelta(days=30),
        copied_at_once=timedelta(days=70),
    ),
    Hypertable(
        table="marketdata_trade",
        key=("instrument_id",),
        time="executed_at",
        chunk=timedelta(days=1),
        segment_by="instrument_id",
        order_by="executed_at desc, trade_id desc",
        compress_after=timedelta(days=7),
        copied_at_once=timedelta(days=1),
    ),
    Hypertable(
        table="marketdata_rawmessage",
        key=("channel",),
        time="exchange_time",
        chunk=timedelta(days=1),
        segment_by="channel, instrument_id",
        order_by="exchange_time desc, id desc",
        compress_after=timedelta(days=2),
        copied_at_once=timedelta(days=1),
        is_sliced=True,
    ),
)


def slices() -> dict[RawChannel, int]:
    """Return where the slice of each channel begins."""
    return {channel: number * SLICE_WIDTH for number, channel in enumerate(RawChannel)}
