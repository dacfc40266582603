"""Groups decide on the candles that closed: once for all bots that decide alike."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

import numpy as np
from django.db import InterfaceError, OperationalError

from backtests.domain.engine import decisions_of
from bots.domain.grouping import Decided, GroupKey, Seen, Why, joined_seen, seen_between
from bots.manager.strategies import Busy, describe, strategy_of
from bots.manager.view import InstrumentView
from bots.storage.groups import Standing, move_groups, read_groups, read_seen
from bots.storage.revisions import as_seen
from marketdata.domain.columns import CandleColumns
from marketdata.domain.series import Series
from marketdata.domain.timeframe import Timeframe
from marketdata.storage import read_candles
from strategies.catalogue import AnyStrategy
from strategies.domain.base import SteppingStrategy
from strategies.sandbox.own import OwnStrategy

_LONGEST_TRACE = 8_000


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a strategy could not decide: for a person, shortened."""

    error: str
    trace: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Return an exception as people are shown it."""
        trace = "".join(traceback.format_exception(error))
        return cls(f"{type(error).__name__}: {error}"[:500], trace[-_LONGEST_TRACE:])


@dataclass(slots=True, eq=False)
class Groups:
    """Where groups stand after a step, and why some could not decide.

    `anew` is everything that some decided, also what their standing keeps no more; `lost` is why
    others could not say it again.
    """

    standing: dict[GroupKey, Standing] = field(default_factory=dict)
    failed: dict[GroupKey, Failure] = field(default_factory=dict)
    anew: dict[GroupKey, Decided] = field(default_factory=dict)
    lost: dict[GroupKey, Failure] = field(default_factory=dict)
    has_moved: bool = False

    def decided_since(self, key: GroupKey, minute_ms: int) -> Decided | None:
        """Return what a group decided at a minute and since; None where that is not known."""
        standing = self.standing.get(key)
        if standing is not None and standing.decided.reaches_back_to(minute_ms):
            return standing.decided
        return self.anew.get(key)


def advance_groups(view: InstrumentView, keys: Iterable[GroupKey]) -> Groups:
    """Let groups decide on every candle that is settled, and store where they stand.

    A strategy that fails stops its own group only. Raises what the database itself cannot do.
    """
    groups = Groups(read_groups(keys))
    moved = []
    # The minutes that the one farthest behind reads serve the others too.
    for before in sorted(groups.standing.values(), key=attrgetter("cursor_ms")):
        key = before.key
        try:
            after = _advanced(view, before)
        except Busy:
            continue
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            groups.failed[key] = Failure.of(error)
            continue
        if after is not None:
            moved.append((before, after))
    if moved:
        stored = move_groups(moved)
        groups.standing |= {after.key: after for before, after in moved if before.id in stored}
        # Whoever was faster has decided the same; what he stored holds.
        others = [before.key for before, _ in moved if before.id not in stored]
        groups.standing |= read_groups(others) if others else {}
        groups.has_moved = True
    return groups


def recall(view: InstrumentView, groups: Groups, keys: Iterable[GroupKey]) -> None:
    """Have groups say again all that they decided: bots lag behind what their standing keeps.

    Not while a row is held: it takes as long as the strategy takes. One that another thread asks
    is left to the next step. Raises what the database itself cannot do.
    """
    for key in keys:
        try:
            groups.anew[key] = _decided_anew(view, groups.standing[key])
        except Busy:
            continue
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            groups.lost[key] = Failure.of(error)


def _decided_anew(view: InstrumentView, standing: Standing) -> Decided:
    """Return everything that a group decided, from its anchor on."""
    series = _history(view, standing.key, read_seen(standing.id), standing.cursor_ms)
    with strategy_of(standing.key) as strategy:
        return _whole(strategy, series)


def _advanced(view: InstrumentView, before: Standing) -> Standing | None:
    """Return where a group stands once it has decided on what is settled; None: nothing is."""
    timeframe = before.key.timeframe
    line = view.line(before.cursor_ms)
    end_ms = timeframe.open_time(line.settled_ms(before.cursor_ms))
    if end_ms <= before.cursor_ms:
        return None
    seen = joined_seen(before.seen_end, seen_between(line, before.cursor_ms, end_ms))
    with strategy_of(before.key) as strategy:
        state, decided = _decide(view, before, strategy, seen, end_ms)
    return replace(
        before,
        cursor_ms=end_ms,
        is_begun=True,
        state=dict(state),
        decided=decided,
        seen_end=seen,
    )


def _decide(
    view: InstrumentView, before: Standing, strategy: AnyStrategy, seen: Seen, end_ms: int
) -> tuple[Mapping[str, Any], Decided]:
    key = before.key
    if not _has_steps(key, strategy):
        # The last one that is stored may go on in what was seen since.
        whole = [*read_seen(before.id)[:-1], *seen]
        return {}, _whole(strategy, _history(view, key, whole, end_ms))
    decided = Decided(key.timeframe, list(before.decided.stretches))
    series = _series(view, key.timeframe, view.candles(before.cursor_ms, end_ms))
    state = before.state or strategy.begin()  # type: ignore[union-attr]
    for number in range(len(series)):
        candle = Series(series.timeframe, series.spec, series.rows[number : number + 1])
        state, target = strategy.step(state, candle)  # type: ignore[union-attr]
        decision = int(decisions_of(np.array([target]), 1)[0])
        decided.add(int(candle.close_times[0]), decision, _why(state))
    return state, decided


def _has_steps(key: GroupKey, strategy: AnyStrategy) -> bool:
    if isinstance(strategy, OwnStrategy):
        return describe(key.strategy).has_steps
    return isinstance(strategy, SteppingStrategy)


def _whole(strategy: AnyStrategy, series: Series) -> Decided:
    """Return the decisions over all candles of a series, as a backtest makes them."""
    targets = decisions_of(strategy.process_data(series), len(series))
    indicators = strategy.get_indicators(series) if len(series) else {}

    def why(number: int) -> Why:
        return {name: _known(float(values[number])) for name, values in indicators.items()}

    return Decided.of(series.timeframe, series.close_times, targets, why)


def _history(view: InstrumentView, key: GroupKey, seen: Seen, end_ms: int) -> Series:
    """Return everything from a group's anchor on as the group saw it.

    Candles as they are by now would let it decide otherwise on what it has decided already.
    """
    stored = read_candles(view.instrument, Timeframe.M1, key.anchor_ms, end_ms)
    rows, _ = as_seen(key.instrument_id, stored, seen)
    return _series(view, key.timeframe, CandleColumns.of(rows))


def _series(view: InstrumentView, timeframe: Timeframe, rows: CandleColumns) -> Series:
    """Return what a strategy sees of minutes: the complete candles that they make."""
    spec = view.instrument.spec
    if timeframe != Timeframe.M1:
        rows = rows.resampled(timeframe, spec)
    return Series(timeframe, spec, rows)


def _why(state: Mapping[str, Any]) -> Why:
    """Return the values that the strategies of indicators show in their state."""
    told: dict[str, float | None] = {}
    for use in state.get("uses", ()):
        told |= use.get("shown", {})
    return told


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
