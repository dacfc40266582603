"""How the domain's arrays of trades and candles lie in the tables, and back."""

from __future__ import annotations

from typing import Final

import numpy as np

from marketdata.domain.records import CANDLE_DTYPE, TRADE_DTYPE, Candles, Trades
from marketdata.domain.timeframe import Timeframe
from marketdata.storage.copying import (
    FLOAT8,
    INT2,
    INT4,
    INT8,
    Columns,
    Rows,
    milliseconds,
    row_layout,
    timestamps,
)

# Columns whose names and values are the same in the table and in the array.
_CANDLE_FIELDS: Final = {
    "open": FLOAT8,
    "high": FLOAT8,
    "low": FLOAT8,
    "close": FLOAT8,
    "volume": FLOAT8,
    "quote_volume": FLOAT8,
    "trade_count": INT8,
    "first_trade_id": INT8,
    "last_trade_id": INT8,
    "revision": INT4,
    "minutes": INT2,
    "source": INT2,
}
_TRADE_FIELDS: Final = {
    "trade_id": INT8,
    "price": FLOAT8,
    "size": FLOAT8,
    "count": INT4,
    "side": INT2,
}

CANDLE_READ: Final = row_layout({"open_time": INT8, **_CANDLE_FIELDS, "closed_at": INT8})
CANDLE_WRITE: Final = row_layout(
    {
        "instrument_id": INT8,
        "timeframe": INT2,
        "open_time": INT8,
        **_CANDLE_FIELDS,
        "closed_at": INT8,
    }
)
TRADE_READ: Final = row_layout({"executed_at": INT8, **_TRADE_FIELDS})
TRADE_WRITE: Final = row_layout({"instrument_id": INT8, "executed_at": INT8, **_TRADE_FIELDS})


def candle_columns(instrument_id: int, timeframe: Timeframe, candles: Candles) -> Columns:
    """Return `candles` as columns of CANDLE_WRITE."""
    return {
        "instrument_id": instrument_id,
        "timeframe": timeframe.minutes,
        "open_time": timestamps(candles["open_time_ms"]),
        "closed_at": timestamps(candles["closed_at_ms"]),
        **{name: candles[name] for name in _CANDLE_FIELDS},
    }


def candles_of(rows: Rows) -> Candles:
    """Return rows of CANDLE_READ as candles."""
    candles = np.empty(len(rows), dtype=CANDLE_DTYPE)
    candles["open_time_ms"] = milliseconds(rows["open_time"])
    candles["closed_at_ms"] = milliseconds(rows["closed_at"])
    for name in _CANDLE_FIELDS:
        candles[name] = rows[name]
    return candles


def trade_columns(instrument_id: int, trades: Trades) -> Columns:
    """Return `trades` as columns of TRADE_WRITE."""
    return {
        "instrument_id": instrument_id,
        "executed_at": timestamps(trades["time_ms"]),
        **{name: trades[name] for name in _TRADE_FIELDS},
    }


def trades_of(rows: Rows) -> Trades:
    """Return rows of TRADE_READ as trades."""
    trades = np.empty(len(rows), dtype=TRADE_DTYPE)
    trades["time_ms"] = milliseconds(rows["executed_at"])
    for name in _TRADE_FIELDS:
        trades[name] = rows[name]
    return trades
