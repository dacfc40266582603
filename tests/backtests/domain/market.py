"""Small markets and strategies for the engine, worked out by hand."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from backtests.domain.engine import BacktestingEngine
from backtests.domain.market import Market, MarketMinutes
from backtests.domain.settings import Costs, Trading
from marketdata.domain.columns import CandleColumns
from marketdata.domain.records import InstrumentSpec
from marketdata.domain.timeframe import Timeframe

MINUTE = 60_000
SPEC = InstrumentSpec("TOY", Decimal("0.5"), Decimal("0.1"))
FREE = Costs(taker_bps=Decimal(0), maker_bps=Decimal(0), slippage_bps=Decimal(0))


class Wants:
    """Holds what it is told to, candle by candle, and remembers what it saw."""

    warmup = 0

    def __init__(self, *targets):
        self.targets, self.seen = targets, None

    def process_data(self, candles):
        self.seen = candles
        return np.array([np.nan if one is None else one for one in self.targets], dtype=float)

    def get_indicators(self, candles):
        return {"close": candles.close}


def columns(*prices, start_minute=0, missing=()):
    """Return minutes that stay at their price, those numbered in `missing` left out."""
    kept = [number for number in range(len(prices)) if number not in missing]
    values = np.array([prices[number] for number in kept], dtype=float)
    times = (np.array(kept, np.int64) + start_minute) * MINUTE
    return CandleColumns(
        times,
        values,
        values.copy(),
        values.copy(),
        values.copy(),
        np.ones(len(kept)),
        np.ones(len(kept), np.int16),
        np.zeros(len(kept), np.int16),
    )


def engine(timeframe=Timeframe.M1, *, spec=SPEC, minimum="0.1", is_margined=False, **trading):
    chosen = Trading(**{"cash": Decimal(1000), "costs": FREE, **trading})
    return BacktestingEngine(Market(spec, Decimal(minimum), is_margined), timeframe, chosen)


def run(candles, strategy, timeframe=Timeframe.M1, start_ms=0, **options):
    made = engine(timeframe, **options)
    return made.run(MarketMinutes.of(candles, made.units), strategy, start_ms)
