"""An instrument's last price and day, from stored candles: what a page shows before live data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from marketdata.charts.sparklines import sparkline_points
from marketdata.domain.timeframe import DAY_MS, Timeframe
from marketdata.models import Instrument
from marketdata.storage import read_last_candles

SPARKLINE_HOURS: Final = 168


@dataclass(frozen=True, slots=True)
class Quote:
    """Figures of the last 24 h before the newest stored candle; None where nothing is stored.

    `change_24h` is a fraction, `volume_24h_quote` is in quote currency, `sparkline` are the points
    of a line over the last SPARKLINE_HOURS hourly closes.
    """

    last: float | None
    change_24h: float | None
    volume_24h_quote: float | None
    sparkline: str


def stored_quote(instrument: Instrument) -> Quote:
    """Return the quote of `instrument`: its last stored minute, and its stored hours before."""
    minute = read_last_candles(instrument, Timeframe.M1, 1)
    hours = read_last_candles(instrument, Timeframe.H1, SPARKLINE_HOURS)
    if not len(minute):
        return Quote(None, None, None, "")
    last = float(minute["close"][0])
    since_ms = int(minute["open_time_ms"][0]) - DAY_MS
    day = hours[np.searchsorted(hours["open_time_ms"], since_ms, side="right") :]
    first = float(day["open"][0]) if len(day) else 0.0
    return Quote(
        last,
        last / first - 1 if first else None,
        float(day["quote_volume"].sum()),
        sparkline_points(hours["close"]),
    )


def price_decimals(instrument: Instrument) -> int:
    """Return how many decimals the instrument's prices have, by its tick size."""
    exponent = instrument.tick_size.normalize().as_tuple().exponent
    return max(-int(exponent), 0)
