"""What the exchange itself says of a 1m candle, while it runs and when it is closed."""

from __future__ import annotations

from typing import Protocol

from marketdata.collector.lane import Row
from marketdata.domain.records import UNKNOWN, Source
from marketdata.domain.timeframe import MINUTE_MS


class RunningCandle(Protocol):
    """What the exchange says of a 1m candle; volume in base currency.

    A quote volume that was not told is NaN.
    """

    @property
    def symbol(self) -> str: ...
    @property
    def open_time_ms(self) -> int: ...
    @property
    def open(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def close(self) -> float: ...
    @property
    def volume(self) -> float: ...
    @property
    def quote_volume(self) -> float: ...
    @property
    def confirmed(self) -> bool: ...


def confirmed_row(candle: RunningCandle) -> Row:
    """Return a confirmed candle as a row of CANDLE_DTYPE."""
    return (
        candle.open_time_ms,
        *(candle.open, candle.high, candle.low, candle.close),
        *(candle.volume, candle.quote_volume),
        *(UNKNOWN, UNKNOWN, UNKNOWN),
        *(1, int(Source.EXCHANGE)),
        *(candle.open_time_ms + MINUTE_MS, 0),
    )
