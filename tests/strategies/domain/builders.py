"""Small hand-written series, and targets as short texts."""

from __future__ import annotations

import numpy as np

from marketdata.domain.records import CANDLE_DTYPE, InstrumentSpec, Source
from marketdata.domain.series import Series
from marketdata.domain.timeframe import Timeframe
from strategies.domain.markets import SPEC, START_MS

SIGNS = {1.0: "L", 0.0: "-", -1.0: "S"}


def series(
    closes, *, highs=None, lows=None, places=None, timeframe="1m", spec: InstrumentSpec = SPEC
):
    """Return candles with these closes; each opens at the close before.

    `places` are the numbers of their windows since the start; a number left out is a gap.
    """
    own, closes = Timeframe(timeframe), np.asarray(closes, dtype=np.float64)
    rows = np.zeros(len(closes), dtype=CANDLE_DTYPE)
    opens = np.concatenate((closes[:1], closes[:-1]))
    rows["open_time_ms"] = START_MS + own.ms * np.asarray(
        range(len(closes)) if places is None else places
    )
    rows["open"], rows["close"] = opens, closes
    rows["high"] = np.maximum(opens, closes) if highs is None else highs
    rows["low"] = np.minimum(opens, closes) if lows is None else lows
    rows["volume"] = 1.0
    rows["minutes"] = own.minutes
    rows["source"] = Source.TRADES
    return Series(own, spec, rows)


def signs(targets) -> str:
    """Return targets as a text: L long, - flat, S short, . no decision."""
    return "".join("." if np.isnan(target) else SIGNS[float(target)] for target in targets)
