"""Timeframes and the only arithmetic on candle boundaries. All times are UTC milliseconds."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from marketdata.domain.errors import InvalidTimeframe

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000


class Timeframe(StrEnum):
    """A candle's length. The value is the name users, URLs and files use."""

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @property
    def minutes(self) -> int:
        """The number of 1m candles in one candle of this timeframe."""
        return _MINUTES[self]

    @property
    def ms(self) -> int:
        """The length in milliseconds."""
        return _MINUTES[self] * MINUTE_MS

    def open_time(self, time_ms: int) -> int:
        """Return the open time of the candle that covers `time_ms`.

        A time exactly on a boundary belongs to the later candle.
        """
        return time_ms - time_ms % self.ms

    def close_time(self, open_time_ms: int) -> int:
        """Return the first millisecond after the candle that opens at `open_time_ms`."""
        return open_time_ms + self.ms


_MINUTES: Final = {
    Timeframe.M1: 1,
    Timeframe.M5: 5,
    Timeframe.M15: 15,
    Timeframe.H1: 60,
    Timeframe.H4: 240,
    Timeframe.D1: 1440,
}

HIGHER_TIMEFRAMES: Final = tuple(
    timeframe for timeframe in Timeframe if timeframe is not Timeframe.M1
)


def parse_timeframe(text: str) -> Timeframe:
    """Return the timeframe named `text`.

    Raises InvalidTimeframe, listing the choices, when there is none of that name.
    """
    try:
        return Timeframe(text)
    except ValueError:
        choices = ", ".join(Timeframe)
        raise InvalidTimeframe(f"expected one of {choices}; was {text!r}") from None
