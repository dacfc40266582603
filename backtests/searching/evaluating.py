"""Trying parameters over candles that are loaded once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import numpy as np

from backtests.domain.engine import (
    BacktestingEngine,
    WrongTargets,
    decisions_of,
    minute_decisions,
)
from backtests.domain.market import MarketMinutes
from backtests.domain.result import BacktestResult
from backtests.domain.search.space import Space
from backtests.domain.search.sweeping import Sweeper
from backtests.domain.trading_json import trading_from_json
from backtests.domain.units import TooLarge
from backtests.loading import CandlesMoved, load_minutes
from backtests.models import Search, Trial
from backtests.requests import engine_of
from marketdata.domain.integrity import Integrity
from marketdata.domain.series import Series
from marketdata.domain.timeframe import Timeframe
from marketdata.models import Instrument, to_ms
from marketdata.storage import Held, day_versions, integrity
from strategies.catalogue import AnyStrategy, describe_strategy, opened
from strategies.domain.errors import InvalidParameters, StrategyFailed
from strategies.domain.lanes import LaneStrategy
from strategies.domain.params import Value
from strategies.domain.registry import STRATEGIES
from strategies.sandbox.own import OwnStrategy

Span = tuple[int, int]
"""Start and end (not included) in UTC milliseconds."""

_SETS_AT_ONCE: Final = 32
"""Sets of parameters whose decisions are held at once."""

_ATTEMPTS: Final = 3
_DRAWS: Final = 64
_DRAWS_OF_OWN: Final = 4
_FAILURES: Final = (StrategyFailed, WrongTargets, TooLarge)


class Outdated(Exception):
    """Candles or code are not those that the search began with: ask for it again."""


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
        self._resampled: Series | None = None
        self._swept: tuple[Span, Sweeper] | None = None

    def load(self) -> Integrity:
        """Load the candles; return how whole they are. Raises CandlesMoved and Outdated."""
        for _ in range(_ATTEMPTS):
            versions = self._versions()
            self._resampled = self._swept = None
            self._minutes = load_minutes(self._instrument, self._from_ms, self._span[1])
            held = Held(self._minutes.candles, versions)
            found = integrity(self._instrument, Timeframe.M1, *self._span, held=held)
            if versions == self._versions():
                self.check(found)
                return found
        raise CandlesMoved(f"the candles of {self._instrument} change too often: try again")

    def check(self, found: Integrity) -> None:
        """Raise Outdated unless these are the candles that the search began with, if any."""
        if self._search.fingerprint not in ("", found.fingerprint.hex()):
            raise Outdated(
                f"the candles of {self._instrument} changed since the search began: "
                "ask for it again"
            )

    def check_code(self) -> None:
        """Raise Outdated unless an own strategy is the one that was asked for.

        For what was refused or could not be opened: whatever ran had this code. Raises
        StrategyError when it cannot be loaded any more.
        """
        key = self._search.strategy
        if key not in STRATEGIES:
            self._check_hash(describe_strategy(key).code_hash)

    def drawn(self, space: Space, seed: int, number: int) -> dict[str, Value]:
        """Return random parameters that go together, the first of a few draws; else the last."""
        draws = _DRAWS if self._search.strategy in STRATEGIES else _DRAWS_OF_OWN
        for attempt in range(draws):
            parameters = space.drawn(seed, number, attempt)
            if self._accepts(parameters):
                break
        return parameters

    def outcomes(
        self, tried: Sequence[Mapping[str, Any]], span: Span, check: Callable[[], None]
    ) -> list[Outcome]:
        """Return what each set of parameters comes to over `span`.

        `check` is called between trials and may raise to end. Raises CandlesMoved and Outdated.
        """
        kind = STRATEGIES.get(self._search.strategy)
        if kind is not None and issubclass(kind, LaneStrategy):
            return self._side_by_side(kind, tried, span, check)
        return [self._one(parameters, span, check) for parameters in tried]

    def _one(self, parameters: Mapping[str, Any], span: Span, check: Callable[[], None]) -> Outcome:
        check()
        try:
            with self._opened(parameters) as strategy:
                candles = self._candles(self._load_from(strategy, span[0]), span[1])
                decided = decisions_of(strategy.process_data(candles), len(candles))
            sweeper = self._sweeper(span)
            times = sweeper.minutes.candles.open_time_ms
            metrics = sweeper.figures(minute_decisions(times, candles, decided))
        except InvalidParameters as error:
            return Outcome(Trial.State.REFUSED, error=str(error))
        except _FAILURES as error:
            return Outcome(Trial.State.FAILED, error=str(error))
        return Outcome(Trial.State.DONE, metrics)

    def _side_by_side(
        self,
        kind: type[LaneStrategy],
        tried: Sequence[Mapping[str, Any]],
        span: Span,
        check: Callable[[], None],
    ) -> list[Outcome]:
        """Return the same, many sets in one pass over the candles."""
        made: dict[int, LaneStrategy] = {}
        outcomes = [Outcome(Trial.State.REFUSED)] * len(tried)
        for place, parameters in enumerate(tried):
            try:
                made[place] = kind(self._timeframe, parameters)
            except InvalidParameters as error:
                outcomes[place] = Outcome(Trial.State.REFUSED, error=str(error))
        for places in _batched(made, _SETS_AT_ONCE):
            for place, metrics in zip(
                places, self._laned(kind, [made[place] for place in places], span), strict=True
            ):
                check()
                outcomes[place] = Outcome(Trial.State.DONE, metrics)
        return outcomes

    def _laned(
        self, kind: type[LaneStrategy], strategies: Sequence[LaneStrategy], span: Span
    ) -> Iterator[dict[str, float | None]]:
        begins = [self._load_from(strategy, span[0]) for strategy in strategies]
        candles = self._candles(min(begins), span[1])
        starts = np.searchsorted(candles.open_times, begins).tolist()
        rows = kind.process_lanes(strategies, candles, starts)
        sweeper = self._sweeper(span)
        for strategy, row in zip(strategies, rows, strict=True):
            yield sweeper.figures_of_lane(row, candles, strategy.lane_targets)

    def result(self, parameters: Mapping[str, Any], span: Span) -> BacktestResult:
        """Return the backtest of parameters over `span`.

        Raises InvalidParameters, StrategyFailed, WrongTargets, TooLarge, and as `outcome` does.
        """
        with self._opened(parameters) as strategy:
            minutes = self._slice(self._load_from(strategy, span[0]), span[1])
            return self.engine.run(minutes, strategy, span[0])

    @contextmanager
    def _opened(self, parameters: Mapping[str, Any]) -> Iterator[AnyStrategy]:
        """Give the strategy, whose code is that of the search. Raises Outdated if it is not."""
        with opened(self._search.strategy, parameters, self._timeframe) as strategy:
            if isinstance(strategy, OwnStrategy):
                self._check_hash(strategy.code_hash)
            yield strategy

    def _check_hash(self, code_hash: str) -> None:
        if code_hash != self._search.source_hash:
            key = self._search.strategy
            raise Outdated(f"the code of {key} changed since the search began: ask for it again")

    def _sweeper(self, span: Span) -> Sweeper:
        """Return what runs targets over the minutes of `span`; kept for the next trials."""
        if self._swept is None or self._swept[0] != span:
            self._swept = (span, Sweeper(self.engine, self._slice(*span)))
        return self._swept[1]

    def _candles(self, start_ms: int, end_ms: int) -> Series:
        """Return the complete candles of the strategy's timeframe that lie within the span."""
        minutes = self._slice(start_ms, end_ms)
        if self._timeframe == Timeframe.M1:
            return self.engine.candles(minutes)
        assert self._minutes is not None
        if self._resampled is None:
            self._resampled = self.engine.candles(self._minutes)
        longer = self._resampled
        # The last one may close behind the end.
        first, last = np.searchsorted(
            longer.open_times, (start_ms, end_ms - longer.timeframe.ms + 1)
        )
        return Series(longer.timeframe, longer.spec, longer.rows[int(first) : int(last)])

    def _load_from(self, strategy: AnyStrategy | LaneStrategy, start_ms: int) -> int:
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


def _batched(values: Iterable[int], size: int) -> Iterator[list[int]]:
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part
