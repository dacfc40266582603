"""Instruments' last prices and days, from stored candles: what a page shows before live data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from marketdata.charts.sparklines import sparkline_points
from marketdata.domain.records import Candles
from marketdata.domain.timeframe import DAY_MS, Timeframe
from marketdata.models import Instrument
from marketdata.storage.latest import read_latest_candles

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


def stored_quotes(instruments: Sequence[Instrument]) -> dict[int, Quote]:
    """Return the quote of each instrument by its key, in two queries whatever their number."""
    minutes = read_latest_candles(instruments, Timeframe.M1, 1)
    hours = read_latest_candles(instruments, Timeframe.H1, SPARKLINE_HOURS)
    return {key: _quote(minute, hours[key]) for key, minute in minutes.items()}


def stored_quote(instrument: Instrument) -> Quote:
    """Return the quote of `instrument`."""
    return stored_quotes([instrument])[instrument.pk]


def price_decimals(instrument: Instrument) -> int:
    """Return how many decimals the instrument's prices have, by its tick size."""
    exponent = instrument.tick_size.normalize().as_tuple().exponent
    return max(-int(exponent), 0)


def _quote(minute: Candles, hours: Candles) -> Quote:
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
