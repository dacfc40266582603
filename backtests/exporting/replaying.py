"""Running a backtest from what an archive holds: nothing is asked of the database."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Self

from django.conf import settings

from backtests.domain.engine import BacktestingEngine
from backtests.domain.market import Market, MarketMinutes
from backtests.domain.result import BacktestResult
from backtests.domain.trading_json import trading_from_json
from backtests.models import Backtest
from marketdata.domain.columns import CandleColumns
from marketdata.domain.records import InstrumentSpec
from marketdata.domain.timeframe import Timeframe
from marketdata.models import Instrument, to_ms
from strategies.catalogue import AnyStrategy, limits
from strategies.domain.registry import create_strategy
from strategies.sandbox.own import OwnStrategy

_SIZES: Final = ("tick_size", "lot_size", "contract_value", "min_size")
_OWN_FILE: Final = "strategy.py"


@dataclass(frozen=True, slots=True)
class Setup:
    """What a run is made of, beside its candles. `source` is the code of an own strategy."""

    strategy: str
    parameters: Mapping[str, Any]
    timeframe: Timeframe
    start_ms: int
    end_ms: int
    trading: Mapping[str, Any]
    instrument: Mapping[str, Any]
    source: str

    @classmethod
    def of(cls, backtest: Backtest) -> Self:
        """Return what a stored backtest is made of."""
        return cls(
            strategy=backtest.strategy,
            parameters=backtest.parameters,
            timeframe=Timeframe(backtest.timeframe),
            start_ms=to_ms(backtest.start),
            end_ms=to_ms(backtest.end),
            trading=backtest.trading,
            instrument=_told(backtest.instrument),
            source=backtest.source,
        )

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], source: str) -> Self:
        """Return what `as_json` wrote. Raises KeyError and ValueError."""
        return cls(
            strategy=str(stored["strategy"]),
            parameters=dict(stored["parameters"]),
            timeframe=Timeframe(stored["timeframe"]),
            start_ms=int(stored["start_ms"]),
            end_ms=int(stored["end_ms"]),
            trading=dict(stored["trading"]),
            instrument=dict(stored["instrument"]),
            source=source,
        )

    def as_json(self) -> dict[str, Any]:
        """Return it for JSON, without the code."""
        return {
            "strategy": self.strategy,
            "parameters": dict(self.parameters),
            "timeframe": self.timeframe.value,
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "trading": dict(self.trading),
            "instrument": dict(self.instrument),
        }

    @property
    def engine(self) -> BacktestingEngine:
        """The engine. Raises InvalidTrading and InvalidSetting."""
        tick, lot, contract, minimum = (Decimal(self.instrument[name]) for name in _SIZES)
        is_swap = self.instrument["kind"] == Instrument.Kind.SWAP
        spec = InstrumentSpec(str(self.instrument["symbol"]), tick, lot, contract)
        trading = trading_from_json(self.trading, is_swap=is_swap)
        return BacktestingEngine(Market(spec, minimum, is_swap), self.timeframe, trading)

    @contextmanager
    def opened(self) -> Iterator[AnyStrategy]:
        """Give the strategy; an own one's code runs in a process of its own.

        Raises StrategyFailed, UnknownStrategy and InvalidParameters.
        """
        if not self.source:
            yield create_strategy(self.strategy, self.parameters, self.timeframe)
            return
        with tempfile.TemporaryDirectory(prefix="tcpd-strategy-") as folder:
            file = Path(folder) / _OWN_FILE
            file.write_text(self.source, encoding="utf-8")
            beside = settings.STRATEGIES_DIR or folder
            given = str(file), beside, limits(), self.timeframe, self.parameters
            with OwnStrategy(*given) as strategy:
                yield strategy

    def first_ms(self, strategy: AnyStrategy) -> int:
        """Return the open time of the first minute that the strategy warms up with."""
        begin_ms = self.timeframe.open_time(self.start_ms)
        return max(0, begin_ms - strategy.warmup * self.timeframe.ms)


def replay(setup: Setup, strategy: AnyStrategy, candles: CandleColumns) -> BacktestResult:
    """Return what the run comes to over these 1m candles, warm-up among them.

    Raises what the engine and the strategy raise.
    """
    engine = setup.engine
    minutes = MarketMinutes.of(candles, engine.units)
    return engine.run(minutes, strategy, setup.start_ms)


def _told(instrument: Instrument) -> dict[str, Any]:
    sizes = {name: f"{Decimal(getattr(instrument, name)).normalize():f}" for name in _SIZES}
    names = ("exchange", "symbol", "kind", "base", "quote")
    return {**{name: getattr(instrument, name) for name in names}, **sizes}
