"""Candles that the tests of indicators share."""

from __future__ import annotations

import numpy as np

from marketdata.domain.records import CANDLE_DTYPE, Source
from marketdata.domain.timeframe import MINUTE_MS

START_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z, a Monday


def candles_of(closes, highs=None, lows=None, volumes=None, start_ms=START_MS):
    """Return 1m candles, one after the other; without highs and lows nothing but their closes."""
    candles = np.zeros(len(closes), dtype=CANDLE_DTYPE)
    candles["open_time_ms"] = start_ms + MINUTE_MS * np.arange(len(closes))
    candles["close"] = closes
    candles["high"] = candles["close"] if highs is None else highs
    candles["low"] = candles["close"] if lows is None else lows
    candles["open"] = candles["close"]
    candles["volume"] = 1.0 if volumes is None else volumes
    candles["minutes"] = 1
    return candles


def wandering(count, seed=3, price=60_000.0, width=20.0):
    """Return a random walk with ranges and volumes; every seventh candle is flat."""
    chance = np.random.default_rng(seed)
    closes = price + np.cumsum(chance.normal(0, width, count))
    flat = np.arange(count) % 7 == 6
    closes[flat] = closes[np.flatnonzero(flat) - 1]
    reach = np.where(flat, 0, chance.exponential(width, count))
    dip = np.where(flat, 0, chance.exponential(width, count))
    volumes = np.where(flat, 0, chance.gamma(2, 3, count))
    candles = candles_of(closes, closes + reach, closes - dip, volumes)
    candles["source"][flat] = Source.FLAT
    return candles


def without(candles, first, last):
    """Return candles without those from index `first` to `last`."""
    return np.delete(candles, range(first, last + 1))
