"""The recorded tapes and candles as arrays."""

from __future__ import annotations

import csv
import gzip
import json
from decimal import Decimal
from pathlib import Path

import numpy as np

from marketdata.domain.records import (
    CANDLE_DTYPE,
    UNKNOWN,
    Candles,
    InstrumentSpec,
    Source,
    Trades,
    trade_array,
)

BINANCE = InstrumentSpec("BTCUSDT", Decimal("0.01"), Decimal("0.00001"))
KRAKEN = InstrumentSpec("XBTUSDT", Decimal("0.1"), Decimal("0.00000001"))
OKX = InstrumentSpec("BTC-USDT", Decimal("0.1"), Decimal("0.00000001"))


def binance_tape(data: Path) -> Trades:
    """Return Binance's 19,904 consecutive BTCUSDT trades around a midnight."""
    (path,) = (data / "tape-binance-spot").glob("*.csv.gz")
    with gzip.open(path, "rt") as lines:
        return trade_array(
            [
                (
                    int(row["trade_id"]),
                    int(row["trade_time_ms"]),
                    float(row["price"]),
                    float(row["qty"]),
                    -1 if row["buyer_is_maker"] == "1" else 1,
                    1,
                )
                for row in csv.DictReader(lines)
            ]
        )


def binance_candles(data: Path) -> list[tuple[int, float, float, float, float, float]]:
    """Return Binance's own candles of those minutes: open time, o, h, l, c, volume."""
    (path,) = (data / "tape-binance-spot").glob("*published.csv")
    with path.open() as lines:
        return [
            (int(row["open_time_ms"]), *(float(row[name]) for name in list(row)[1:]))
            for row in csv.DictReader(lines)
        ]


def kraken_tape(data: Path) -> Trades:
    """Return Kraken's 1,000 consecutive XBTUSDT trades over 6.8 hours."""
    with gzip.open(data / "tape-kraken" / "http_trades.json.gz") as file:
        rows = json.load(file)["result"]["XBTUSDT"]
    return trade_array(
        [
            (
                row[6],
                int(row[2] * 1000),
                float(row[0]),
                float(row[1]),
                1 if row[3] == "b" else -1,
                1,
            )
            for row in rows
        ]
    )


def kraken_candles(data: Path) -> list[tuple[int, float, float, float, float, float, int]]:
    """Return Kraken's own candles: open time, o, h, l, c, volume, trade count."""
    with gzip.open(data / "tape-kraken" / "http_ohlc.json.gz") as file:
        rows = json.load(file)["result"]["XBTUSDT"]
    return [
        (row[0] * 1000, *(float(price) for price in row[1:5]), float(row[6]), row[7])
        for row in rows
    ]


def okx_candles(data: Path, timeframe: str) -> Candles:
    """Return OKX's own BTC-USDT candles of early 2022."""
    with gzip.open(data / "okx-candles" / f"BTC_USDT-{timeframe}.json.gz") as file:
        rows = np.array(json.load(file), dtype=np.float64)
    candles = np.zeros(len(rows), dtype=CANDLE_DTYPE)
    for column, name in enumerate(("open_time_ms", "open", "high", "low", "close", "volume")):
        candles[name] = rows[:, column]
    candles["trade_count"] = candles["first_trade_id"] = candles["last_trade_id"] = UNKNOWN
    candles["minutes"] = 1
    candles["source"] = Source.EXCHANGE
    return candles
