"""Whether a candle that was built here says what the exchange says of the same minute."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.records import Candles, Source

QUOTE_TOLERANCE: Final = 1e-12
"""Relative: a quote volume may have more digits than a float64 holds."""

EXACT: Final = ("open", "high", "low", "close", "volume")


def agrees(ours: Candles, theirs: Candles) -> NDArray[np.bool_]:
    """Return where two arrays of candles of the same times say the same.

    Prices and volume to the last digit, quote volume within QUOTE_TOLERANCE; a quote volume that
    is NaN was not told and is not compared.
    """
    same = np.ones(len(ours), dtype=bool)
    for name in EXACT:
        same &= ours[name] == theirs[name]
    one, other = ours["quote_volume"], theirs["quote_volume"]
    is_close = np.abs(one - other) <= QUOTE_TOLERANCE * np.maximum(np.abs(one), np.abs(other))
    result: NDArray[np.bool_] = same & (is_close | np.isnan(one) | np.isnan(other))
    return result


def is_checkable(minutes: Candles) -> NDArray[np.bool_]:
    """Return which 1m candles are to be held against the exchange's: whole ones, built here."""
    ours = (minutes["source"] == Source.TRADES) | (minutes["source"] == Source.FLAT)
    checkable: NDArray[np.bool_] = ours & (minutes["minutes"] > 0)
    return checkable
