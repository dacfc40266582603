"""Loading the compiled code before the first run waits for it."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from backtests.domain.engine import BacktestingEngine
from backtests.domain.market import Market, MarketMinutes
from backtests.domain.search.sweeping import Sweeper
from backtests.domain.settings import Trading
from marketdata.domain.columns import COLUMN_TYPES, CandleColumns
from marketdata.domain.records import InstrumentSpec
from marketdata.domain.series import Floats, Series
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from strategies.domain.lanes import LaneStrategy
from strategies.domain.registry import STRATEGIES


class _InAndOut:
    """Holds through every second minute."""

    warmup = 0

    def process_data(self, candles: Series) -> Floats:
        return np.resize((0.0, 1.0), len(candles))

    def get_indicators(self, candles: Series) -> dict[str, Floats]:
        return {}


def warm_kernels() -> None:
    """Run backtests of four minutes: a moment when the machine code is on disk."""
    values = {name: np.ones(4, kind) for name, kind in COLUMN_TYPES.items()}
    values["open_time_ms"] = MINUTE_MS * np.arange(4)
    spec = InstrumentSpec("WARM-UP", Decimal("0.1"), Decimal("0.1"))
    engine = BacktestingEngine(Market(spec, Decimal("0.1")), Timeframe.M1, Trading())
    minutes = MarketMinutes.of(CandleColumns(**values), engine.units)
    engine.run(minutes, _InAndOut(), 0).metrics()
    _warm_sweeps(engine, minutes)


def _warm_sweeps(engine: BacktestingEngine, minutes: MarketMinutes) -> None:
    candles, sweeper = engine.candles(minutes), Sweeper(engine, minutes)
    sweeper.figures(np.zeros(len(candles), np.int64))
    for kind in STRATEGIES.values():
        if issubclass(kind, LaneStrategy):
            strategy = kind(Timeframe.M1)
            [codes] = kind.process_lanes([strategy], candles, [0])
            sweeper.figures_of_lane(codes, candles, strategy.lane_targets)
