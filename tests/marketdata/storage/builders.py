"""Small markets for the storage tests."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from marketdata.collector.ports import Batch, InstrumentBatch
from marketdata.domain.aggregation import aggregate_minutes
from marketdata.domain.events import Emission
from marketdata.domain.records import (
    CANDLE_DTYPE,
    Candles,
    InstrumentSpec,
    Source,
    Trades,
    trade_array,
)
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.models import Instrument

DAY = 1_704_067_200_000
"""2024-01-01 in UTC."""

SPEC = InstrumentSpec("BTC-USDT", Decimal("0.1"), Decimal("0.001"))


def make_instrument(symbol="BTC-USDT", exchange="okx"):
    base, quote = symbol.split("-")[:2]
    return Instrument.objects.create(
        exchange=exchange,
        symbol=symbol,
        kind="spot",
        base=base,
        quote=quote,
        tick_size=SPEC.tick_size,
        lot_size=SPEC.lot_size,
        min_size=SPEC.lot_size,
    )


def minutes(start_ms: int, closes, *, source=Source.TRADES, volume=1.0, whole=1) -> Candles:
    """Return one candle a minute that opens at its close and moves 1 around it."""
    candles = np.zeros(len(closes), dtype=CANDLE_DTYPE)
    candles["open_time_ms"] = start_ms + np.arange(len(closes)) * MINUTE_MS
    for name in ("open", "high", "low", "close"):
        candles[name] = closes
    if source is not Source.FLAT:
        candles["high"] += 1
        candles["low"] -= 1
        candles["volume"] = volume
    candles["quote_volume"] = candles["volume"] * candles["close"]
    candles["trade_count"] = candles["first_trade_id"] = candles["last_trade_id"] = -1
    candles["minutes"] = whole
    candles["source"] = source
    return candles


def tape(start_ms: int, prices, *, step_ms=10_000, first_id=1, size=0.5) -> Trades:
    """Return single matches, one every `step_ms`."""
    return trade_array(
        [
            (first_id + i, start_ms + i * step_ms, price, size, 1, 1)
            for i, price in enumerate(prices)
        ]
    )


def random_tape(seed: int, number: int, *, start_ms=DAY, step_ms=4_000) -> Trades:
    """Return single matches at random steps, with prices and sizes on the instrument's grid."""
    random = np.random.default_rng(seed)
    times = start_ms + np.cumsum(random.integers(0, 2 * step_ms, number))
    prices = (1000 + np.cumsum(random.integers(-5, 6, number))) / 10
    sizes = random.integers(1, 5000, number) / 1000
    return trade_array(
        [(i + 1, int(times[i]), float(prices[i]), float(sizes[i]), 1, 1) for i in range(number)]
    )


def closed(trades: Trades) -> Candles:
    """Return the candles of a tape's minutes but the last one, which is not over."""
    return aggregate_minutes(trades, SPEC)[:-1]


def batch(symbol="BTC-USDT", exchange_ms=DAY, **emission) -> Batch:
    return Batch((InstrumentBatch(symbol, Emission(**emission), exchange_ms),))
