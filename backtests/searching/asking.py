"""What a search is asked for by, and what is wrong with it, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings

from backtests.domain.metrics import METRICS
from backtests.domain.search.objectives import days_needed, is_maximised
from backtests.domain.search.space import InvalidSpace, Space, space_of
from backtests.domain.search.windows import (
    InvalidValidation,
    Window,
    holdout,
    walk_forward,
    whole,
)
from backtests.models import Search
from backtests.requests import BacktestRequest, InvalidBacktest, Prepared, prepare
from marketdata.domain.timeframe import DAY_MS, Timeframe
from strategies.catalogue import describe_strategy
from strategies.domain.errors import StrategyFailed, UnknownStrategy
from strategies.domain.params import Value
from strategies.domain.registry import STRATEGIES
from strategies.domain.spelling import did_you_mean

LARGEST_SEED: Final = 2**53
DEFAULT_COUNT: Final = 100
_SAMPLES: Final = 256
_SAMPLES_OF_OWN: Final = 4
"""An own strategy is asked in its process, which takes a moment."""

_VALIDATION: Final = {
    Search.Validation.NONE: (),
    Search.Validation.HOLDOUT: ("share",),
    Search.Validation.WALK_FORWARD: ("mode", "train_days", "test_days"),
}
_MODES: Final = ("rolling", "anchored")


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What a person asks for. Times are UTC milliseconds; `end_ms` is not included.

    `space` holds, by parameter, values or min, max and step; `parameters` are those that stay.
    `count` is how many sets a random or an Optuna search tries in each window. `validation` says
    by its kind how the best are tested: none, holdout (share), walk_forward (mode, train_days,
    test_days).
    """

    strategy: str
    exchange: str
    symbol: str
    timeframe: str
    start_ms: int
    end_ms: int
    space: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    trading: Mapping[str, Any] = field(default_factory=dict)
    method: str = Search.Method.GRID
    count: int | None = None
    seed: int = 0
    objective: str = "sharpe"
    direction: str | None = None
    validation: Mapping[str, Any] = field(default_factory=lambda: {"kind": "none"})


@dataclass(frozen=True, slots=True)
class PreparedSearch:
    """A search that can be run, with a backtest of it; use that as a context."""

    sample: Prepared
    space: Space
    windows: tuple[Window, ...]
    count: int
    is_maximised: bool

    @property
    def total(self) -> int:
        """Trials of all windows."""
        return self.count * len(self.windows)


def prepare_search(request: SearchRequest) -> PreparedSearch:
    """Return what a search means. Raises InvalidBacktest with every field that is wrong."""
    errors = _word_errors(request)
    windows = _windows(request, errors)
    if short := _too_short(request, windows):
        errors.setdefault("objective", short)
    space = _space(request, errors)
    count = 0 if space is None else _count(request, space, errors)
    if count * len(windows) > settings.SEARCH_MOST_TRIALS:
        errors["validation"] = (
            f"{len(windows)} windows with {count} trials each are {count * len(windows)}; "
            f"at most {settings.SEARCH_MOST_TRIALS} can be tried in one search"
        )
    sample = _sample(request, space, errors)
    if errors or space is None or sample is None:
        if sample is not None:
            sample.__exit__()
        raise InvalidBacktest(errors)
    direction = request.direction
    wanted = is_maximised(request.objective) if direction is None else direction == "max"
    return PreparedSearch(sample, space, windows, count, wanted)


def _word_errors(request: SearchRequest) -> dict[str, str]:
    """Return what is wrong with the fields that are one of a few words, and with the seed."""
    metrics = [metric.key for metric in METRICS]
    errors = {}
    if request.method not in Search.Method.values:
        errors["method"] = f"expected one of {', '.join(Search.Method.values)}"
    if request.objective not in metrics:
        nearest = did_you_mean(request.objective, metrics)
        errors["objective"] = f"there is no such metric; {nearest}"
    if request.direction not in (None, "max", "min"):
        errors["direction"] = "expected max or min"
    if not 0 <= request.seed <= LARGEST_SEED:
        errors["seed"] = f"expected a whole number from 0 to {LARGEST_SEED}"
    return errors


def _windows(request: SearchRequest, errors: dict[str, str]) -> tuple[Window, ...]:
    """Return where trials run and where the best are tested; one window where that is wrong."""
    told, span = dict(request.validation), (request.start_ms, request.end_ms)
    one = whole(*span)
    kind = told.pop("kind", Search.Validation.NONE)
    if kind not in Search.Validation.values:
        errors["validation.kind"] = f"expected one of {', '.join(Search.Validation.values)}"
        return one
    known = _VALIDATION[Search.Validation(kind)]
    for name in told:
        if name not in known:
            expected = f"expected {', '.join(known)}" if known else "expected nothing else"
            errors[f"validation.{name}"] = f"there is no such field with {kind}; {expected}"
    if request.end_ms <= request.start_ms:
        return one
    try:
        return _divided(kind, told, span, request.timeframe)
    except InvalidValidation as error:
        errors[f"validation.{error.field}"] = str(error)
    return one


def _too_short(request: SearchRequest, windows: tuple[Window, ...]) -> str:
    """Return why no trial could have the figure that is to be best; nothing where one can."""
    needed = days_needed(request.objective)
    days = min(window.train[1] // DAY_MS - window.train[0] // DAY_MS for window in windows)
    if request.end_ms <= request.start_ms or days >= needed:
        return ""
    told = f"it needs {needed} days, and trials run over {days}"
    return f"{told}: take a longer range, or another figure"


def _divided(
    kind: str, told: Mapping[str, Any], span: tuple[int, int], timeframe: str
) -> tuple[Window, ...]:
    if kind == Search.Validation.NONE:
        return whole(*span)
    if kind == Search.Validation.HOLDOUT:
        share = _number(told, "share", 0.25)
        known = timeframe if timeframe in list(Timeframe) else Timeframe.M1
        return holdout(*span, share, Timeframe(known))
    if told.get("mode", _MODES[0]) not in _MODES:
        raise InvalidValidation("mode", f"expected one of {', '.join(_MODES)}")
    train, test = (_number(told, name) for name in ("train_days", "test_days"))
    for name, days in (("train_days", train), ("test_days", test)):
        if days != int(days):
            raise InvalidValidation(name, f"expected whole days; were {days:g}")
    is_anchored = told.get("mode") == "anchored"
    return walk_forward(*span, int(train), int(test), is_anchored=is_anchored)


def _number(told: Mapping[str, Any], name: str, default: float | None = None) -> float:
    value = told.get(name, default)
    if value is None:
        raise InvalidValidation(name, "it is missing")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Larger ones would not be finite, or are no length of time; NaN is neither.
    if not is_number or not -1e9 < value < 1e9:
        raise InvalidValidation(name, f"expected a number; was {str(value)[:40]!r}")
    return float(value)


def _space(request: SearchRequest, errors: dict[str, str]) -> Space | None:
    try:
        described = describe_strategy(request.strategy)
        return space_of(described.parameters, request.space, request.parameters)
    except (UnknownStrategy, StrategyFailed) as error:
        errors["strategy"] = str(error)
    except InvalidSpace as error:
        errors |= {f"space.{name}" if name else "space": why for name, why in error.errors.items()}
    return None


def _count(request: SearchRequest, space: Space, errors: dict[str, str]) -> int:
    """Return how many trials a window has; 0 where that is wrong."""
    most = settings.SEARCH_MOST_TRIALS
    if request.method == Search.Method.OPTUNA:
        most = min(most, settings.SEARCH_MOST_OPTUNA_TRIALS)
    if request.method != Search.Method.GRID:
        count = DEFAULT_COUNT if request.count is None else request.count
        if 1 <= count <= most:
            return count
        errors["count"] = f"expected 1 to {most} trials; were {count}"
        return 0
    if request.count is not None:
        errors["count"] = "a grid tries every combination: leave it out, or search at random"
    if space.size is None:
        endless = [axis.name for axis in space.axes if axis.size is None]
        errors |= {f"space.{name}": "a grid needs a step, or values" for name in endless}
        return 0
    if space.size > most:
        errors["space"] = (
            f"these are {space.size:,} combinations, and at most {most:,} can be tried: take "
            "larger steps, or search at random"
        )
        return 0
    return space.size


def _sample(request: SearchRequest, space: Space | None, errors: dict[str, str]) -> Prepared | None:
    """Return the backtest of some combination that goes together, to check everything else by."""
    refused: Mapping[str, str] = {}
    for parameters in _samples(request, space):
        try:
            return prepare(
                BacktestRequest(
                    strategy=request.strategy,
                    exchange=request.exchange,
                    symbol=request.symbol,
                    timeframe=request.timeframe,
                    start_ms=request.start_ms,
                    end_ms=request.end_ms,
                    parameters=parameters,
                    trading=request.trading,
                )
            )
        except InvalidBacktest as error:
            refused = refused or error.errors
            if _searched(request, error.errors) != set(error.errors):
                break
    own = _searched(request, refused)
    errors |= {name: why for name, why in refused.items() if name not in own}
    if own and space is not None:
        told = "; ".join(f"{name.removeprefix('parameters.')}: {refused[name]}" for name in own)
        errors.setdefault("space", f"no combination was found that goes together: {told}")
    return None


def _searched(request: SearchRequest, errors: Mapping[str, str]) -> set[str]:
    """Return the fields that another combination may get right."""
    return {name for name in errors if name.removeprefix("parameters.") in request.space}


def _samples(request: SearchRequest, space: Space | None) -> Iterator[Mapping[str, Value]]:
    if space is None:
        yield request.parameters
        return
    most = _SAMPLES if request.strategy in STRATEGIES else _SAMPLES_OF_OWN
    for number in range(most):
        yield space.drawn(request.seed, number)
