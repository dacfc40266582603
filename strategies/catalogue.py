"""All strategies that can be used here: the built-in ones, and people's own.

Own ones are the files of TCPD_STRATEGIES_DIR, under the key own:NAME, and the dotted paths of
TCPD_STRATEGIES. Their code never runs in this process.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings

from marketdata.domain.series import Series
from marketdata.domain.timeframe import Timeframe
from strategies.domain.base import BaseStrategy, SteppingStrategy
from strategies.domain.checks import Proof, prove
from strategies.domain.errors import StrategyFailed, UnknownStrategy
from strategies.domain.params import Values
from strategies.domain.registry import STRATEGIES, create_strategy
from strategies.domain.spelling import did_you_mean
from strategies.sandbox.limits import Limits
from strategies.sandbox.own import Description, OwnStrategy, describe
from strategies.sandbox.process import StrategyProcess

OWN: Final = "own:"

AnyStrategy = BaseStrategy | OwnStrategy

_FAILURE_KEPT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Told:
    """What an own strategy said of itself, or why it did not; until its file changes."""

    file: str
    changed_at: float
    found: Description | StrategyFailed
    # A failure may have been the machine's, so it is not believed for ever.
    asked_at: float

    @property
    def holds(self) -> bool:
        is_fresh = time.monotonic() - self.asked_at < _FAILURE_KEPT_S
        is_believed = is_fresh or isinstance(self.found, Description)
        return is_believed and self.changed_at == _changed_at(self.file)


_told: dict[str, _Told] = {}


def own_keys() -> dict[str, str]:
    """Return the reference of each own strategy by its key."""
    found = {path: path for path in settings.STRATEGIES}
    if settings.STRATEGIES_DIR:
        files = sorted(Path(settings.STRATEGIES_DIR).glob("*.py"))
        found |= {f"{OWN}{file.stem}": str(file) for file in files if _is_strategy(file)}
    return found


def keys() -> list[str]:
    """Return the key of every strategy."""
    return [*STRATEGIES, *own_keys()]


def describe_strategy(key: str) -> Description:
    """Return what a strategy says of itself.

    Raises UnknownStrategy, and StrategyFailed for an own one that cannot be loaded.
    """
    if key in STRATEGIES:
        return _described(STRATEGIES[key])
    reference = _reference(key)
    told = _told.get(reference)
    if told is None or not told.holds:
        told = _told[reference] = _asked(key, reference)
    if isinstance(told.found, StrategyFailed):
        raise StrategyFailed(told.found.file, told.found.line, told.found.reason)
    return told.found


def describe_all() -> Iterator[tuple[str, Description | StrategyFailed]]:
    """Yield every key with what its strategy says of itself, or why it does not."""
    for key in keys():
        try:
            yield key, describe_strategy(key)
        except StrategyFailed as failed:
            yield key, failed


def make_strategy(
    key: str, params: Values | None = None, timeframe: Timeframe | str = Timeframe.M1
) -> AnyStrategy:
    """Return a strategy with its parameters. Close an OwnStrategy; better: `opened`.

    Raises UnknownStrategy, InvalidParameters and StrategyFailed.
    """
    if key in STRATEGIES:
        return create_strategy(key, params, timeframe)
    return OwnStrategy(_reference(key), settings.STRATEGIES_DIR, limits(), timeframe, params)


@contextmanager
def opened(
    key: str, params: Values | None = None, timeframe: Timeframe | str = Timeframe.M1
) -> Iterator[AnyStrategy]:
    """Give a strategy for as long as the block lasts; see `make_strategy`."""
    strategy = make_strategy(key, params, timeframe)
    try:
        yield strategy
    finally:
        if isinstance(strategy, OwnStrategy):
            strategy.close()


def prove_strategy(strategy: AnyStrategy, candles: Series) -> tuple[Proof, ...]:
    """Return the proofs about a strategy, made in its own process if it has one."""
    return (
        strategy.prove(candles) if isinstance(strategy, OwnStrategy) else prove(strategy, candles)
    )


def code_hash_of(key: str, strategy: AnyStrategy) -> str:
    """Return the hash of the code that a strategy of this key runs; see `Description`."""
    if isinstance(strategy, OwnStrategy):
        return strategy.code_hash
    return describe_strategy(key).code_hash


def limits() -> Limits:
    """Return what an own strategy may use."""
    return Limits(**settings.STRATEGY_LIMITS)


def _described(strategy: type[BaseStrategy]) -> Description:
    file = Path(inspect.getfile(strategy))
    return Description(
        key=strategy.key,
        title=strategy.title,
        help=inspect.getdoc(strategy) or "",
        source=strategy.source,
        parameters=strategy.parameters,
        has_steps=issubclass(strategy, SteppingStrategy),
        code=file.read_text(),
        file=str(file),
        changed_at=file.stat().st_mtime,
    )


def _asked(key: str, reference: str) -> _Told:
    changed_at = _changed_at(reference)
    try:
        with StrategyProcess(reference, settings.STRATEGIES_DIR, limits()) as process:
            found = describe(process, key)
    except StrategyFailed as failed:
        return _Told(reference, changed_at, failed, time.monotonic())
    return _Told(found.file, found.changed_at, found, time.monotonic())


def _reference(key: str) -> str:
    own = own_keys()
    if key not in own:
        raise UnknownStrategy(f"there is no strategy {key!r}; {did_you_mean(key, keys())}")
    return own[key]


def _is_strategy(file: Path) -> bool:
    return not file.name.startswith(("_", "test_"))


def _changed_at(file: str) -> float:
    """Return when a file was last changed; 0 for one that is gone, or for a dotted path."""
    try:
        return Path(file).stat().st_mtime
    except FileNotFoundError:
        return 0.0
