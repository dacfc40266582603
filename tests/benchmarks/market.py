"""A market for benchmarks that only store: instruments and their years of minutes."""

from __future__ import annotations

from typing import Any

import numpy as np

MINUTES_OF_A_YEAR = 525_600
YEAR_START_MS = 1_704_067_200_000
"""2024-01-01 in UTC."""


def make_instrument(exchange: str, number: int) -> Any:
    """Return a stored instrument."""
    from marketdata.models import Instrument

    sizes = {"tick_size": "0.1", "lot_size": "0.0001", "min_size": "0.0001"}
    instrument = Instrument.objects.create(
        exchange=exchange,
        symbol=f"B{number}-USDT",
        kind="spot",
        base=f"B{number}",
        quote="USDT",
        **sizes,
    )
    instrument.refresh_from_db()
    return instrument


def walk(count: int, *, seed: int = 0, start_ms: int = YEAR_START_MS) -> Any:
    """Return `count` whole 1m candles of a random walk, as an exchange's history has them."""
    from marketdata.domain.records import CANDLE_DTYPE, Source

    random = np.random.default_rng(seed)
    candles = np.zeros(count, dtype=CANDLE_DTYPE)
    candles["open_time_ms"] = start_ms + np.arange(count) * 60_000
    close = 40_000 + np.round(np.cumsum(random.normal(0, 1, count)), 1)
    candles["open"], candles["close"] = np.append(40_000.0, close[:-1]), close
    candles["high"] = np.round(np.maximum(candles["open"], close) + 0.5, 1)
    candles["low"] = np.round(np.minimum(candles["open"], close) - 0.5, 1)
    candles["volume"] = np.round(random.exponential(1, count), 4)
    candles["quote_volume"] = np.round(candles["volume"] * close, 6)
    for name in ("trade_count", "first_trade_id", "last_trade_id"):
        candles[name] = -1
    candles["minutes"], candles["source"] = 1, Source.EXCHANGE
    return candles


def execute(statement: str, values: list[Any] | None = None) -> list[Any]:
    """Run a statement in a transaction of its own; return its rows."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []
