"""Small hand-written markets."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from marketdata.domain.records import CANDLE_DTYPE, Candles, InstrumentSpec, Trades, trade_array

BTC = InstrumentSpec("BTC-USDT", Decimal("0.1"), Decimal("0.00000001"))
SWAP = InstrumentSpec("BTC-USDT-SWAP", Decimal("0.1"), Decimal("0.01"), Decimal("0.01"))

# 2024-01-01 00:00 UTC
DAY_ONE = 1_704_067_200_000


def at(text: str) -> int:
    """Return '10:04:59.999' of the first day of 2024 in milliseconds."""
    hours, minutes, seconds = text.split(":")
    return DAY_ONE + int(hours) * 3_600_000 + int(minutes) * 60_000 + round(float(seconds) * 1000)


def trades(*rows: tuple[Any, ...]) -> Trades:
    """Return rows (id, '10:04:59.999', price, size[, count]) as trades, all buys."""
    return trade_array(
        [(row[0], at(row[1]), row[2], row[3], 1, *(row[4:] or (1,))) for row in rows]
    )


def table(candles: Candles, *names: str) -> list[tuple[Any, ...]]:
    """Return the named columns of candles as plain rows, to compare with a hand-written table."""
    return [tuple(row[name].item() for name in names) for row in candles]


def without(candles: Candles, *names: str) -> list[tuple[Any, ...]]:
    """Return every column of candles but the named ones as plain rows."""
    return table(candles, *[name for name in CANDLE_DTYPE.names or () if name not in names])
