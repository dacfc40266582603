"""Two verdicts on a run: whether the code is right, and what the data cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from backtests.domain.market import MarketMinutes
from bots.domain.parity.comparing import Divergence, Recorded, first_divergence, is_same_place
from bots.domain.parity.inputs import Inputs
from bots.domain.parity.replay import Replayed, replay
from marketdata.domain.columns import COLUMN_TYPES, CandleColumns


class Cause(StrEnum):
    """Why a run and a replay of it are not the same."""

    REVISED = "candle revised"
    INSERTED = "candle inserted"
    LATE = "late candle"
    CONFIGURATION = "configuration"
    ENGINE = "engine version"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What a replay came to, and where it first differs from what was recorded, and why."""

    replayed: Replayed
    divergence: Divergence | None = None
    cause: Cause | None = None


def judge_known(recorded: Recorded, inputs: Inputs, moved: Cause | None) -> Verdict:
    """Replay over what the run saw: whatever differs is the code's doing.

    `moved` is what is not as it was then, the engine or the strategy, and so explains it.
    """
    replayed = replay(inputs)
    divergence = first_divergence(recorded, replayed)
    return Verdict(replayed, divergence, (moved or Cause.FAULT) if divergence else None)


def judge_repaired(
    recorded: Recorded, inputs: Inputs, minutes: MarketMinutes, known: Verdict
) -> Verdict:
    """Replay over `minutes` as they are by now, as a backtest: nothing late, candles' opens.

    Compares decisions and fills. What the code did differently explains what comes after it.
    """
    replayed = replay(_repaired(inputs, minutes))
    divergence = first_divergence(recorded, replayed, trades_only=True)
    if divergence is None:
        return Verdict(replayed)
    if known.divergence is not None and known.divergence.time_ms <= divergence.time_ms:
        return Verdict(replayed, divergence, known.cause)
    return Verdict(replayed, divergence, _cause(recorded, inputs, minutes, divergence))


def _repaired(inputs: Inputs, minutes: MarketMinutes) -> Inputs:
    return replace(
        inputs,
        candles=minutes,
        minutes=minutes.since(inputs.start_ms),
        openings=_last_opening(inputs),
        opened=frozenset(),
        missed=frozenset(),
    )


def _openings(inputs: Inputs) -> dict[int, int]:
    """Return the openings that no candle tells, now that candles' opens are taken for the rest."""
    kept = {ms: inputs.openings[ms] for ms in inputs.opened}
    return kept | _last_opening(inputs)


def _last_opening(inputs: Inputs) -> dict[int, int]:
    """Return the opening of the minute that the run stands in: no candle tells it yet."""
    until_ms = inputs.until.minute_ms
    return {ms: tick for ms, tick in inputs.openings.items() if ms == until_ms}


def _cause(
    recorded: Recorded, inputs: Inputs, minutes: MarketMinutes, divergence: Divergence
) -> Cause:
    """Return which difference alone parts the replay from the run at the same place.

    Where none does, the last candle that changed before it is to blame.
    """
    now = minutes.candles
    variants = {
        Cause.LATE: replace(inputs, missed=frozenset()),
        Cause.INSERTED: replace(_changed(inputs, now, _with_inserted), opened=frozenset()),
        Cause.REVISED: replace(_changed(inputs, now, _with_revised), openings=_openings(inputs)),
    }
    for cause, variant in variants.items():
        found = first_divergence(recorded, replay(variant), trades_only=True)
        if is_same_place(found, divergence):
            return cause
    before = now.open_time_ms[now.open_time_ms < divergence.time_ms]
    changed = before[~np.isin(before, inputs.candles.candles.open_time_ms)]
    return Cause.INSERTED if len(changed) else Cause.REVISED


def _changed(
    inputs: Inputs,
    now: CandleColumns,
    change: Callable[[CandleColumns, CandleColumns], CandleColumns],
) -> Inputs:
    """Return the inputs with minutes that are changed by what is known now."""
    units = inputs.engine.units
    candles = MarketMinutes.of(change(inputs.candles.candles, now), units)
    traded = now[now.open_time_ms >= inputs.start_ms]
    minutes = MarketMinutes.of(change(inputs.minutes.candles, traded), units)
    return replace(inputs, candles=candles, minutes=minutes)


def _with_inserted(seen: CandleColumns, now: CandleColumns) -> CandleColumns:
    """Return the candles by now, those that were seen as they were seen."""
    places, is_seen = _places(now, seen)
    return CandleColumns(
        **{name: _filled(now[name], is_seen, seen[name][places]) for name in COLUMN_TYPES}
    )


def _with_revised(seen: CandleColumns, now: CandleColumns) -> CandleColumns:
    """Return the candles that were seen, as they are by now."""
    places, is_there = _places(seen, now)
    return CandleColumns(
        **{name: _filled(seen[name], is_there, now[name][places]) for name in COLUMN_TYPES}
    )


def _places(rows: CandleColumns, others: CandleColumns) -> tuple[np.ndarray, np.ndarray]:
    """Return which of `rows` are among `others`, and where, in order."""
    is_among = np.isin(rows.open_time_ms, others.open_time_ms)
    return np.searchsorted(others.open_time_ms, rows.open_time_ms[is_among]), is_among


def _filled(column: np.ndarray, mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    filled = column.copy()
    filled[mask] = values
    return filled
