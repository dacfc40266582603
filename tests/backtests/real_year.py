"""The recorded year of BTCUSDT, and runs over it."""

from __future__ import annotations

import gzip
from decimal import Decimal

from backtests.domain.engine import BacktestingEngine
from backtests.domain.market import Market, MarketMinutes
from backtests.domain.result import BacktestResult
from backtests.domain.settings import Trading
from marketdata.domain.columns import CandleColumns
from marketdata.domain.records import InstrumentSpec
from marketdata.domain.timeframe import Timeframe
from marketdata.loading.candle_files import parse_candles
from strategies.domain.registry import create_strategy

SPEC = InstrumentSpec("BTCUSDT", Decimal("0.01"), Decimal("0.00001"))
TIMEFRAMES = (Timeframe.M1, Timeframe.M15, Timeframe.H1)


def load_year(shared_data):
    """Return the year's minutes, all of them."""
    file = shared_data / "candles" / "BTCUSDT-1m-2024.csv.gz"
    candles = parse_candles(gzip.decompress(file.read_bytes()).decode()).candles
    assert len(candles) == 366 * 1440
    return candles


def run_over(candles, key: str, timeframe: Timeframe, trading: Trading) -> BacktestResult:
    """Return what a built-in strategy with its defaults does over 1m candles."""
    engine = BacktestingEngine(Market(SPEC, Decimal("0.00001")), timeframe, trading)
    minutes = MarketMinutes.of(CandleColumns.of(candles), engine.units)
    return engine.run(minutes, create_strategy(key, {}, timeframe), 0)
