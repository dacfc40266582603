"""Candles from trades, flat candles, and higher candles from minutes.

Prices stay as they are. Volumes are added exactly and rounded once, so that a candle built here
equals the exchange's own to the last digit.
"""

from __future__ import annotations

import numpy as np

from marketdata.domain.decimals import to_floats
from marketdata.domain.errors import UnsortedTrades
from marketdata.domain.minutes import sum_minutes
from marketdata.domain.records import (
    CANDLE_DTYPE,
    UNKNOWN,
    Candles,
    InstrumentSpec,
    Source,
    Trades,
    empty_candles,
)
from marketdata.domain.resampling import resample, resample_all
from marketdata.domain.timeframe import MINUTE_MS

__all__ = ["aggregate_minutes", "flat_minutes", "resample", "resample_all"]


def aggregate_minutes(trades: Trades, spec: InstrumentSpec) -> Candles:
    """Return one 1m candle for each minute that has trades, ascending; source TRADES.

    `trades` are in order of id, each once, over any number of minutes. A trade belongs to the
    minute of its exchange time, on the boundary to the later one; open and close are the first
    and last by id. Volume is in base currency (for swaps size x contract value), the trade count
    is the sum of matches. `closed_at_ms` and `revision` are 0: they are the caller's to know.

    Raises UnsortedTrades when ids do not rise, InvalidRecord for a NaN price or size.
    """
    if not len(trades):
        return empty_candles()
    _check_order(trades)
    sums = sum_minutes(trades, spec)
    candles = np.zeros(len(sums.open_time_ms), dtype=CANDLE_DTYPE)
    for name in ("open_time_ms", "open", "high", "low", "close"):
        candles[name] = getattr(sums, name)
    for name in ("trade_count", "first_trade_id", "last_trade_id"):
        candles[name] = getattr(sums, name)
    candles["volume"] = to_floats(sums.volume)
    candles["quote_volume"] = to_floats(sums.quote_volume)
    candles["minutes"] = 1
    candles["source"] = Source.TRADES
    return candles


def flat_minutes(first_open_ms: int, last_open_ms: int, close: float) -> Candles:
    """Return the minutes without trades from `first_open_ms` to `last_open_ms`, both included.

    Every price is `close`, the close before them; nothing when the last is before the first.
    """
    opens = np.arange(first_open_ms, last_open_ms + 1, MINUTE_MS, dtype=np.int64)
    candles = np.zeros(len(opens), dtype=CANDLE_DTYPE)
    candles["open_time_ms"] = opens
    for name in ("open", "high", "low", "close"):
        candles[name] = close
    for name in ("first_trade_id", "last_trade_id"):
        candles[name] = UNKNOWN
    candles["minutes"] = 1
    candles["source"] = Source.FLAT
    return candles


def _check_order(trades: Trades) -> None:
    ids = trades["trade_id"]
    wrong = np.flatnonzero(ids[1:] <= ids[:-1])
    if len(wrong):
        row = int(wrong[0])
        raise UnsortedTrades(
            f"expected rising trade ids; id {ids[row + 1]} follows {ids[row]} in row {row + 1}"
        )
