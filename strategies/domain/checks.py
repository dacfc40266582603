"""Proofs about a strategy: that it does not look ahead, and that its warm-up is long enough.

A backtest hands a strategy all candles at once; a bot only those that have closed. Both see the
same only if the target of a candle depends on nothing behind it, and on no more before it than the
strategy says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.columns import CandleColumns
from marketdata.domain.series import Series
from strategies.domain.base import Floats, SteppingStrategy
from strategies.domain.errors import StrategyError

BAR_BY_BAR: Final = 2_000
RANDOM_CUTS: Final = 200
_POINTS = 200
_PRICES = ("open", "high", "low", "close")


class WrongTargets(StrategyError, ValueError):
    """A strategy returned something else than one target a candle."""


class Provable(Protocol):
    """What the proofs ask of a strategy."""

    @property
    def warmup(self) -> int: ...

    def process_data(self, candles: Series) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Proof:
    """What one of the proofs found; `detail` is a sentence, `compared` how often targets were."""

    name: str
    is_passed: bool
    detail: str
    compared: int


def prove(strategy: Provable, candles: Series) -> tuple[Proof, ...]:
    """Return all proofs over `candles`, of which `candles_wanted` tells how many are enough."""
    proofs: tuple[Proof, ...] = (
        prove_no_look_ahead(strategy, candles),
        prove_warmup(strategy, candles),
    )
    if isinstance(strategy, SteppingStrategy):
        proofs += (prove_steps(strategy, candles),)
    return proofs


def candles_wanted(warmup: int) -> int:
    """Return how many candles make all proofs meaningful."""
    return 3 * warmup + 2 * BAR_BY_BAR


def prove_no_look_ahead(strategy: Provable, candles: Series, seed: int = 1) -> Proof:
    """Compare the targets over all candles with those over the candles up to a cut.

    Candle by candle over 2,000 of them from the first decision on, and at 200 random cuts, where
    the future is also replaced by another one.
    """
    candles = Series(candles.timeframe, candles.spec, _columns(candles))
    name, whole = "look_ahead", _targets(strategy, candles)
    if np.isnan(whole).all():
        return Proof(name, False, _nothing_decided(candles), 0)
    random = np.random.default_rng(seed)
    last = min(_first_decision(whole) + BAR_BY_BAR, len(candles))
    in_a_row = range(max(last - BAR_BY_BAR, 0) + 1, last + 1)
    cuts = random.integers(1, len(candles), size=RANDOM_CUTS, endpoint=True).tolist()
    compared = 0
    for count, series in _futures(candles, in_a_row, cuts, random):
        seen = _targets(strategy, series)[:count]
        compared += 1
        if (place := _first_difference(whole[:count], seen)) is not None:
            return Proof(name, False, _looks_ahead(candles, place, whole, seen), compared)
    return Proof(name, True, f"{compared:,} cuts, the same targets before each", compared)


def prove_warmup(strategy: Provable, candles: Series, seed: int = 1) -> Proof:
    """Compare targets made of `warmup` earlier candles, of twice as many, and of all of them.

    Where a decision changes, and elsewhere.
    """
    name, length = "warmup", strategy.warmup
    if len(candles) <= 2 * length:
        wanted = candles_wanted(length)
        return Proof(name, False, f"expected {wanted:,} candles; there are {len(candles):,}", 0)
    whole = _targets(strategy, candles)
    points = _points(whole, 2 * length, np.random.default_rng(seed))
    if np.isnan(whole[points]).all():
        return Proof(name, False, _nothing_decided(candles), 0)
    wrong = [
        point
        for point in points
        if not all(_agrees(strategy, candles, whole, point, n) for n in (length, 2 * length))
    ]
    if not wrong:
        detail = f"{length:,} candles give the targets that all earlier ones give"
        return Proof(name, True, detail, 2 * len(points))
    return Proof(name, False, _too_short(strategy, candles, whole, wrong), 2 * len(points))


def prove_steps(strategy: SteppingStrategy, candles: Series) -> Proof:
    """Compare the targets of single steps, their state kept as JSON, with those of all at once."""
    whole, state = _targets(strategy, candles), strategy.begin()
    count = min(_first_decision(whole) + BAR_BY_BAR, len(candles))
    stepped = np.empty(count)
    for index in range(count):
        state, stepped[index] = strategy.step(state, _part(candles, index, index + 1))
        state = json.loads(json.dumps(state, allow_nan=False))
    place = _first_difference(whole[:count], stepped)
    if place is None:
        return Proof("steps", True, f"{count:,} steps, the same targets as all at once", count)
    values = f"{_told(stepped[place])} in steps, {_told(whole[place])} at once"
    return Proof("steps", False, f"{_when(candles, place)}: {values}", place + 1)


def _targets(strategy: Provable, candles: Series) -> Floats:
    # Of very few candles a mean or a deviation may not exist; that is not what is looked for.
    with np.errstate(all="ignore"):
        targets = np.asarray(strategy.process_data(candles), dtype=np.float64)
    if targets.shape != (len(candles),):
        raise WrongTargets(
            f"expected one target for each of {len(candles)} candles; the shape was {targets.shape}"
        )
    return targets


def _first_decision(whole: Floats) -> int:
    return int(np.argmax(~np.isnan(whole)))


def _futures(
    candles: Series, in_a_row: Iterable[int], cuts: Iterable[int], random: np.random.Generator
) -> Iterator[tuple[int, Series]]:
    """Yield how many candles to compare, and a series that has the same ones up to there."""
    for count in in_a_row:
        yield count, candles.first(count)
    for count in cuts:
        yield count, candles.first(count)
        yield count, _with_other_future(candles, count, random)


def _with_other_future(candles: Series, count: int, random: np.random.Generator) -> Series:
    order = np.arange(len(candles))
    random.shuffle(order[count:])
    factor = np.where(order < count, 1.0, random.uniform(0.5, 2.0))
    rows = _columns(candles)
    others = {name: getattr(rows, name)[order] * factor for name in _PRICES}
    changed = replace(rows, volume=rows.volume[order], **others)
    return Series(candles.timeframe, candles.spec, changed)


def _columns(candles: Series) -> CandleColumns:
    rows = candles.rows
    return rows if isinstance(rows, CandleColumns) else CandleColumns.of(rows)


def _points(whole: Floats, start: int, random: np.random.Generator) -> list[int]:
    """Return up to 200 places from `start` on, half of them where the decision changes."""
    same = (whole[1:] == whole[:-1]) | (np.isnan(whole[1:]) & np.isnan(whole[:-1]))
    changes = np.flatnonzero(~same) + 1
    found: set[int] = set()
    for places in (changes[changes >= start], np.arange(start, len(whole))):
        wanted = min(len(places), _POINTS // 2)
        found.update(random.choice(places, wanted, replace=False).tolist() if wanted else ())
    return sorted(found)


def _agrees(strategy: Provable, candles: Series, whole: Floats, point: int, length: int) -> bool:
    part = _part(candles, max(point - length, 0), point + 1)
    return _is_same(_targets(strategy, part)[-1], whole[point])


def _too_short(strategy: Provable, candles: Series, whole: Floats, wrong: list[int]) -> str:
    declared, tried = strategy.warmup, wrong[-20:]

    def is_enough(length: int) -> bool:
        return all(_agrees(strategy, candles, whole, point, length) for point in tried)

    longest = tried[0]
    needed = _least(is_enough, declared, longest)
    place = _when(candles, wrong[0])
    if needed is None or needed >= longest:
        return (
            f"{place}: {declared:,} candles do not give the target that all earlier ones give, nor "
            "do any fewer than all; return NaN for no decision instead of carrying a target along"
        )
    return (
        f"{place}: {declared:,} candles do not give the target that all earlier ones give; "
        f"about {needed:,} would: {needed - declared:,} too few"
    )


def _least(is_enough: Callable[[int], bool], low: int, high: int) -> int | None:
    """Return about the least length above `low` that is enough; None when `high` is not."""
    step = max(low, 8)
    while not is_enough(min(low + step, high)):
        if low + step >= high:
            return None
        low, step = low + step, 2 * step
    high = min(low + step, high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _part(candles: Series, start: int, end: int) -> Series:
    return Series(candles.timeframe, candles.spec, candles.rows[start:end])


def _first_difference(left: Floats, right: Floats) -> int | None:
    differs: NDArray[Any] = ~((left == right) | (np.isnan(left) & np.isnan(right)))
    return int(np.argmax(differs)) if differs.any() else None


def _is_same(left: float, right: float) -> bool:
    return bool(left == right or (np.isnan(left) and np.isnan(right)))


def _nothing_decided(candles: Series) -> str:
    return f"it decides nothing on these {len(candles):,} candles, which proves nothing"


def _looks_ahead(candles: Series, place: int, whole: Floats, seen: Floats) -> str:
    return (
        f"{_when(candles, place)}: {_told(whole[place])} when all candles are known, "
        f"{_told(seen[place])} when {len(seen) - place - 1} later ones are"
    )


def _when(candles: Series, place: int) -> str:
    time = datetime.fromtimestamp(int(candles.close_times[place]) / 1000, tz=UTC)
    return f"candle {place}, closed {time:%Y-%m-%d %H:%M} UTC"


def _told(target: float) -> str:
    return "no decision" if np.isnan(target) else f"target {target:g}"
