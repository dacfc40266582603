"""A real year of minutes: the engine does what a plain computation does, to the last unit."""

from __future__ import annotations

import gzip
from decimal import Decimal

import pytest

from backtests.domain.engine import BacktestingEngine
from backtests.domain.market import Market, MarketMinutes
from backtests.domain.settings import Trading
from marketdata.domain.columns import CandleColumns
from marketdata.domain.records import InstrumentSpec
from marketdata.domain.timeframe import Timeframe
from marketdata.loading.candle_files import parse_candles
from strategies.domain.registry import create_strategy
from tests.backtests import reference

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SPEC = InstrumentSpec("BTCUSDT", Decimal("0.01"), Decimal("0.00001"))
CASH = 10_000


@pytest.fixture(scope="module")
def year(shared_data):
    file = shared_data / "candles" / "BTCUSDT-1m-2024.csv.gz"
    candles = parse_candles(gzip.decompress(file.read_bytes()).decode()).candles
    assert len(candles) == 366 * 1440
    return candles


@pytest.mark.parametrize(
    ("timeframe", "fewest"), [(Timeframe.M1, 5000), (Timeframe.M15, 500), (Timeframe.H1, 100)]
)
def test_an_ema_crossover_over_a_year_equals_a_plain_computation(year, timeframe, fewest):
    market = Market(SPEC, Decimal("0.00001"))
    engine = BacktestingEngine(market, timeframe, Trading(cash=Decimal(CASH)))
    minutes = MarketMinutes.of(CandleColumns.of(year), engine.units)
    strategy = create_strategy("ema_crossover", {"fast": 12, "slow": 26}, timeframe)
    result = engine.run(minutes, strategy, 0)

    start = CASH * reference.CASH
    expected = reference.trade(year, timeframe.minutes, 12, 26, start, fee_bps=10, slip_bps=5)

    assert len(expected.fills) > fewest
    names = ("time_ms", "lots", "tick", "fee")
    assert list(zip(*(result.fills[name].tolist() for name in names), strict=True)) == (
        expected.fills
    )
    assert result.equity.tolist() == expected.equity
    figures = reference.figures(expected, year["open_time_ms"], start)
    metrics = result.metrics()
    for name, figure in figures.items():
        assert metrics[name] == pytest.approx(figure, rel=1e-9), name
