"""What a backtest is asked for by, and what is wrong with it, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from django.conf import settings

from backtests.domain.engine import BacktestingEngine
from backtests.domain.market import Market
from backtests.domain.settings import InvalidSetting, Trading
from backtests.domain.trading_json import InvalidTrading, trading_from_json
from backtests.domain.units import TooLarge, check_fits
from backtests.storage.sources import code_hash
from marketdata.domain.errors import InvalidTimeframe
from marketdata.domain.integrity import Integrity
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe, parse_timeframe
from marketdata.models import Instrument, from_ms
from marketdata.storage import Held, integrity
from strategies.catalogue import AnyStrategy, make_strategy
from strategies.domain.errors import InvalidParameters, StrategyFailed, UnknownStrategy
from strategies.models import StrategyConfig
from strategies.sandbox.own import OwnStrategy

LONGEST_MS: Final = 20 * 366 * DAY_MS


class InvalidBacktest(Exception):
    """What was asked for cannot be run; `errors` says why, by field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in errors.items()))


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """What a person asks for. Times are UTC milliseconds; `end_ms` is not included."""

    strategy: str
    exchange: str
    symbol: str
    timeframe: str
    start_ms: int
    end_ms: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    trading: Mapping[str, Any] = field(default_factory=dict)
    config: int | None = None
    """The stored configuration that strategy, timeframe and parameters are those of."""

    @classmethod
    def of_config(cls, config: StrategyConfig, **rest: Any) -> Self:
        """Return a request for a stored configuration; `rest` are the other fields."""
        return cls(
            strategy=config.strategy,
            timeframe=config.timeframe,
            parameters=config.params,
            config=config.pk,
            **rest,
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that can be run. Use it as a context: an own strategy's process lives that long.

    `source` is the text of an own strategy's code, empty for a built-in one.
    """

    strategy: AnyStrategy
    source_hash: str
    source: str
    instrument: Instrument
    timeframe: Timeframe
    start_ms: int
    end_ms: int
    trading: Trading
    engine: BacktestingEngine

    @property
    def load_from_ms(self) -> int:
        """The open time of the first minute that the strategy warms up with."""
        step_ms = self.timeframe.ms
        first_ms = self.timeframe.open_time(self.start_ms) - self.strategy.warmup * step_ms
        return max(0, first_ms)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        _close(self.strategy)


def prepare(request: BacktestRequest) -> Prepared:
    """Return what a request means. Raises InvalidBacktest with every field that is wrong."""
    errors: dict[str, str] = {}
    instrument = _instrument(request, errors)
    timeframe = _timeframe(request.timeframe, errors)
    strategy = _strategy(request, timeframe, errors)
    trading = _trading(request, instrument, errors)
    errors |= _range_errors(request.start_ms, request.end_ms)
    if errors or instrument is None or timeframe is None or strategy is None or trading is None:
        _close(strategy)
        raise InvalidBacktest(errors)
    digest, source = _code_of(strategy)
    return Prepared(
        strategy=strategy,
        source_hash=digest,
        source=source,
        instrument=instrument,
        timeframe=timeframe,
        start_ms=request.start_ms,
        end_ms=request.end_ms,
        trading=trading,
        engine=engine_of(instrument, timeframe, trading),
    )


def check_data(
    prepared: Prepared, *, held: Held | None = None, is_hashed: bool = True
) -> Integrity:
    """Return how whole the range's minutes are; see `integrity`.

    Raises InvalidBacktest below the share of complete ones at which a backtest is refused.
    """
    span = prepared.start_ms, prepared.end_ms
    found = integrity(prepared.instrument, Timeframe.M1, *span, held=held, is_hashed=is_hashed)
    share = found.complete_share or 0.0
    if not found.complete or share < settings.BACKTEST_REFUSE_BELOW:
        raise InvalidBacktest(
            {
                "start": f"only {share:.1%} of the minutes of {prepared.instrument} from "
                f"{from_ms(prepared.start_ms):%Y-%m-%d %H:%M} to "
                f"{from_ms(prepared.end_ms):%Y-%m-%d %H:%M} are stored complete: load its history "
                "or choose another range"
            }
        )
    return found


def _code_of(strategy: AnyStrategy) -> tuple[str, str]:
    """Return the hash of a strategy's code, and the code of an own one: of what runs.

    An own one's is of its file alone; see `code_hash` for a built-in one's.
    """
    if isinstance(strategy, OwnStrategy):
        return strategy.code_hash, strategy.code
    return code_hash(type(strategy).__module__), ""


def _close(strategy: AnyStrategy | None) -> None:
    if isinstance(strategy, OwnStrategy):
        strategy.close()


def _instrument(request: BacktestRequest, errors: dict[str, str]) -> Instrument | None:
    try:
        return Instrument.objects.named(request.exchange, request.symbol)
    except Instrument.DoesNotExist as error:
        errors["symbol"] = str(error)
        return None


def _timeframe(text: str, errors: dict[str, str]) -> Timeframe | None:
    try:
        return parse_timeframe(text)
    except InvalidTimeframe as error:
        errors["timeframe"] = str(error)
        return None


def _strategy(
    request: BacktestRequest, timeframe: Timeframe | None, errors: dict[str, str]
) -> AnyStrategy | None:
    try:
        return make_strategy(request.strategy, request.parameters, timeframe or Timeframe.M1)
    except (UnknownStrategy, StrategyFailed) as error:
        errors["strategy"] = str(error)
    except InvalidParameters as error:
        errors |= {f"parameters.{name}": reason for name, reason in error.errors.items()}
    return None


def _trading(
    request: BacktestRequest, instrument: Instrument | None, errors: dict[str, str]
) -> Trading | None:
    if instrument is None:
        return None
    try:
        trading = trading_from_json(request.trading, is_swap=_is_swap(instrument))
        units = engine_of(instrument, Timeframe.M1, trading).units
        check_fits(units, 1, units.cash_to_units(trading.cash))
    except InvalidTrading as error:
        errors |= {f"trading.{name}": reason for name, reason in error.errors.items()}
        return None
    except InvalidSetting as error:
        errors[f"trading.{error.field}"] = str(error)
        return None
    except TooLarge as error:
        errors["trading.cash"] = str(error)
        return None
    return trading


def engine_of(instrument: Instrument, timeframe: Timeframe, trading: Trading) -> BacktestingEngine:
    """Return the engine for an instrument. Raises InvalidSetting."""
    market = Market(instrument.spec, instrument.min_size, is_margined=_is_swap(instrument))
    return BacktestingEngine(market, timeframe, trading)


def _is_swap(instrument: Instrument) -> bool:
    return instrument.kind == Instrument.Kind.SWAP


def _range_errors(start_ms: int, end_ms: int) -> dict[str, str]:
    if start_ms % MINUTE_MS or end_ms % MINUTE_MS:
        name = "start" if start_ms % MINUTE_MS else "end"
        return {name: "expected a whole minute"}
    if end_ms <= start_ms:
        return {"end": "expected a time after start"}
    if end_ms - start_ms > LONGEST_MS:
        return {"end": "expected a time at most 20 years after start"}
    return {}
