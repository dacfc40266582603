"""Made-up candles with everything that strategies trip over: trends, rests, gaps."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import numpy as np

from marketdata.domain.indicators import LONGEST_GAP
from marketdata.domain.records import CANDLE_DTYPE, UNKNOWN, Candles, InstrumentSpec, Source
from marketdata.domain.series import Series
from marketdata.domain.timeframe import Timeframe

SPEC: Final = InstrumentSpec("MADE-UP", Decimal("0.1"), Decimal("0.0001"))
START_MS: Final = 1_704_067_200_000  # 2024-01-01

_FIRST_PRICE = 20_000.0
_STEP = 0.001
# Candles of one mood of the market, and how often a candle rests, or some are missing before it.
_MOOD = 60
# In standard deviations of a candle's change; NaN: the price does not move at all.
_DRIFTS = (-0.3, -0.3, 0.0, 0.0, 0.0, 0.3, 0.3, np.nan)
_RESTS, _SHORT_GAPS, _LONG_GAPS = 0.02, 0.001, 0.0002


def made_up(count: int, timeframe: Timeframe, seed: int = 1) -> Series:
    """Return `count` closed candles, always the same ones for a seed.

    Moods of rising, falling and resting prices follow each other; some candles are flat, and now
    and then some are missing, few or too many for indicators to go on.
    """
    random = np.random.default_rng(seed)
    moods = random.choice(_DRIFTS, size=count // _MOOD + 1).repeat(_MOOD)[:count]
    is_flat = (random.random(count) < _RESTS) | np.isnan(moods)
    steps = np.where(is_flat, 0.0, _STEP * (random.standard_normal(count) + moods))
    closes = np.round(_FIRST_PRICE * np.exp(np.cumsum(steps)), 1)
    return Series(timeframe, SPEC, _rows(random, closes, is_flat, timeframe))


def closes(prices: Sequence[float], timeframe: Timeframe) -> Series:
    """Return candles that close at `prices`, each opened at the close before; for small tests."""
    ends = np.asarray(prices, dtype=np.float64)
    starts = np.concatenate((ends[:1], ends[:-1]))
    rows = np.zeros(len(ends), dtype=CANDLE_DTYPE)
    rows["open_time_ms"] = START_MS + np.arange(len(ends)) * timeframe.ms
    rows["open"], rows["close"] = starts, ends
    rows["high"], rows["low"] = np.maximum(starts, ends), np.minimum(starts, ends)
    rows["volume"], rows["minutes"] = 1.0, timeframe.minutes
    rows["source"] = Source.IMPORTED
    return Series(timeframe, SPEC, rows)


def _rows(
    random: np.random.Generator,
    closes: np.ndarray[tuple[int], np.dtype[np.float64]],
    is_flat: np.ndarray[tuple[int], np.dtype[np.bool_]],
    timeframe: Timeframe,
) -> Candles:
    count = len(closes)
    rows = np.zeros(count, dtype=CANDLE_DTYPE)
    opens = np.concatenate(([_FIRST_PRICE], closes[:-1]))
    closes = np.where(is_flat, opens, closes)
    reach = np.where(is_flat, 0.0, np.abs(random.standard_normal(count)) * _STEP * closes)
    missing = np.where(random.random(count) < _SHORT_GAPS, 3, 0)
    missing = np.where(random.random(count) < _LONG_GAPS, LONGEST_GAP + 20, missing)
    places = np.arange(count) + np.cumsum(missing)
    rows["open_time_ms"] = START_MS + places * timeframe.ms
    rows["open"], rows["close"] = opens, closes
    rows["high"] = np.round(np.maximum(opens, closes) + reach, 1)
    rows["low"] = np.round(np.minimum(opens, closes) - reach, 1)
    rows["volume"] = np.where(is_flat, 0.0, np.round(random.random(count) * 10 + 0.0001, 4))
    rows["quote_volume"] = np.round(rows["volume"] * closes, 5)
    rows["trade_count"] = rows["first_trade_id"] = rows["last_trade_id"] = UNKNOWN
    rows["minutes"] = timeframe.minutes
    rows["source"] = np.where(is_flat, Source.FLAT, Source.IMPORTED)
    rows["closed_at_ms"] = rows["open_time_ms"] + timeframe.ms
    return rows
