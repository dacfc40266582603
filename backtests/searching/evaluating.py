"""Trying parameters over candles that are loaded once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backtests.domain.engine import BacktestingEngine, WrongTargets
from backtests.domain.market import MarketMinutes
from backtests.domain.result import BacktestResult
from backtests.domain.search.space import Space
from backtests.domain.trading_json import trading_from_json
from backtests.domain.units import TooLarge
from backtests.loading import CandlesMoved, load_minutes
from backtests.models import Search, Trial
from backtests.requests import engine_of
from marketdata.domain.integrity import Integrity
from marketdata.domain.timeframe import Timeframe
from marketdata.models import Instrument, to_ms
from marketdata.storage import day_versions, integrity
from strategies.catalogue import AnyStrategy, opened
from strategies.domain.errors import InvalidParameters, StrategyFailed
from strategies.domain.params import Value
from strategies.domain.registry import STRATEGIES

Span = tuple[int, int]
"""Start and end (not included) in UTC milliseconds."""

_ATTEMPTS: Final = 3
_DRAWS: Final = 64
_DRAWS_OF_OWN: Final = 4
_FAILURES: Final = (StrategyFailed, WrongTargets, TooLarge)


class CandlesChanged(Exception):
    """The candles are not those that the search began with: ask for it again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What parameters came to: metrics, or why there are none."""

    state: str
    metrics: dict[str, float | None] = field(default_factory=dict)
    error: str = ""


class Trials:
    """Runs parameters of one search over its candles."""

    def __init__(self, search: Search) -> None:
        self._search, self._instrument = search, search.instrument
        self._timeframe = Timeframe(search.timeframe)
        is_swap = self._instrument.kind == Instrument.Kind.SWAP
        trading = trading_from_json(search.trading, is_swap=is_swap)
        self.engine: BacktestingEngine = engine_of(self._instrument, self._timeframe, trading)
        self._span: Span = (to_ms(search.start), to_ms(search.end))
        self._from_ms = self._span[0]
        self._minutes: MarketMinutes | None = None

    def load(self) -> Integrity:
        """Load the candles; return how whole they are. Raises CandlesMoved and CandlesChanged."""
        for _ in range(_ATTEMPTS):
            versions = self._versions()
            self._minutes = load_minutes(self._instrument, self._from_ms, self._span[1])
            found = integrity(self._instrument, Timeframe.M1, *self._span)
            if versions == self._versions():
                self.check(found)
                return found
        raise CandlesMoved(f"the candles of {self._instrument} change too often: try again")

    def check(self, found: Integrity) -> None:
        """Raise CandlesChanged unless these are the candles that the search began with, if any."""
        if self._search.fingerprint not in ("", found.fingerprint.hex()):
            raise CandlesChanged(
                f"the candles of {self._instrument} changed since the search began: "
                "ask for it again"
            )

    def drawn(self, space: Space, seed: int, number: int) -> dict[str, Value]:
        """Return random parameters that go together, the first of a few draws; else the last."""
        draws = _DRAWS if self._search.strategy in STRATEGIES else _DRAWS_OF_OWN
        for attempt in range(draws):
            parameters = space.drawn(seed, number, attempt)
            if self._accepts(parameters):
                break
        return parameters

    def outcome(self, parameters: Mapping[str, Any], span: Span) -> Outcome:
        """Return what a trial over `span` comes to. Raises CandlesMoved and CandlesChanged."""
        try:
            return Outcome(Trial.State.DONE, self.result(parameters, span).metrics())
        except InvalidParameters as error:
            return Outcome(Trial.State.REFUSED, error=str(error))
        except _FAILURES as error:
            return Outcome(Trial.State.FAILED, error=str(error))

    def result(self, parameters: Mapping[str, Any], span: Span) -> BacktestResult:
        """Return the backtest of parameters over `span`.

        Raises InvalidParameters, StrategyFailed, WrongTargets, TooLarge, and as `outcome` does.
        """
        with opened(self._search.strategy, parameters, self._timeframe) as strategy:
            minutes = self._slice(self._load_from(strategy, span[0]), span[1])
            return self.engine.run(minutes, strategy, span[0])

    def _load_from(self, strategy: AnyStrategy, start_ms: int) -> int:
        step_ms = self._timeframe.ms
        return max(0, self._timeframe.open_time(start_ms) - strategy.warmup * step_ms)

    def _slice(self, start_ms: int, end_ms: int) -> MarketMinutes:
        """Return the minutes of [start, end); more are loaded where a warm-up reaches further."""
        if self._minutes is None or start_ms < self._from_ms:
            self._from_ms = min(start_ms, self._from_ms)
            self.load()
        assert self._minutes is not None
        return self._minutes.between(start_ms, end_ms)

    def _accepts(self, parameters: Mapping[str, Any]) -> bool:
        try:
            with opened(self._search.strategy, parameters, self._timeframe):
                return True
        except InvalidParameters:
            return False
        except StrategyFailed:
            # The trial will tell.
            return True

    def _versions(self) -> dict[int, int]:
        return day_versions(self._instrument, Timeframe.M1, self._from_ms, self._span[1])
