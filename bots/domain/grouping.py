"""Groups of bots that decide alike: who belongs together, and what a group has decided."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from backtests.domain.records import UNCHANGED, Integers
from bots.domain.timeline import Timeline
from marketdata.domain.timeframe import MINUTE_MS, Timeframe

KEPT: Final = 64
"""Stretches of equal decisions that a group keeps."""

Why = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class GroupKey:
    """What decides alike: one strategy with one set of parameters, over the same candles.

    `params` is JSON with its keys in order.
    """

    instrument_id: int
    timeframe: Timeframe
    strategy: str
    params: str
    source_hash: str
    anchor_ms: int

    @property
    def digest(self) -> str:
        """The hash of all of it, in hexadecimal."""
        parts = (
            self.instrument_id,
            self.timeframe,
            self.strategy,
            self.params,
            self.source_hash,
            self.anchor_ms,
        )
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def ordered_params(params: Mapping[str, Any]) -> str:
    """Return parameters as JSON that is the same for the same ones."""
    return json.dumps(params, sort_keys=True)


class Stretch(NamedTuple):
    """Equal decisions at candles that follow each other; `why` is that of the first of them."""

    first_ms: int
    last_ms: int
    target: int
    why: Why


@dataclass(slots=True)
class Decided:
    """What a group decided, by close times; in millionths, UNCHANGED for no decision.

    `whys` are those of the newest decisions, also where they repeat the one before.
    """

    timeframe: Timeframe
    stretches: list[Stretch] = field(default_factory=list)
    whys: dict[int, Why] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        timeframe: Timeframe,
        close_times: Integers,
        targets: Integers,
        why: Callable[[int], Why],
    ) -> Decided:
        """Return what was decided at candles in their order; `why` explains one by its index."""
        if not len(targets):
            return cls(timeframe)
        parts = (np.diff(targets) != 0) | (np.diff(close_times) != timeframe.ms)
        edges = [0, *(np.flatnonzero(parts) + 1).tolist(), len(targets)]
        stretches = [
            Stretch(
                int(close_times[first]), int(close_times[end - 1]), int(targets[first]), why(first)
            )
            for first, end in pairwise(edges)
        ]
        newest = len(targets) - 1
        return cls(timeframe, stretches, {int(close_times[newest]): why(newest)})

    def add(self, close_ms: int, target: int, why: Why) -> None:
        """Note the decision at the next candle."""
        last = self.stretches[-1] if self.stretches else None
        if last and last.target == target and last.last_ms + self.timeframe.ms == close_ms:
            self.stretches[-1] = last._replace(last_ms=close_ms)
        else:
            self.stretches.append(Stretch(close_ms, close_ms, target, why))
        self.whys = {close_ms: why}

    def reaches_back_to(self, close_ms: int) -> bool:
        """Return whether what was decided at `close_ms` and since is known."""
        if len(self.stretches) < KEPT:
            return True
        return self.stretches[0].first_ms <= close_ms

    def targets(self, line: Timeline) -> Integers:
        """Return the decision at the minute with which each candle closed, by index of `line`."""
        targets = np.full(len(line.halves.times), UNCHANGED, np.int64)
        step = self.timeframe.minutes
        for stretch in self.stretches:
            first = line.index(stretch.first_ms - MINUTE_MS)
            end = line.index(stretch.last_ms - MINUTE_MS) + 1
            if end > 0:
                targets[first if first >= 0 else first % step : end : step] = stretch.target
        return targets

    def why(self, close_ms: int) -> Why:
        """Return what a decision was made by; that of the first one of equal ones for old ones."""
        if close_ms in self.whys:
            return self.whys[close_ms]
        place = bisect_right(self.stretches, close_ms, key=lambda one: one.first_ms) - 1
        if place < 0 or close_ms > self.stretches[place].last_ms:
            return {}
        return self.stretches[place].why

    def as_json(self) -> list[list[Any]]:
        """Return the newest stretches for JSON.

        The newest decision stands apart with its own why, so that a bot that begins with it is
        told the same, whoever reads this.
        """
        return [
            [one.first_ms, one.last_ms, None if one.target == UNCHANGED else one.target, one.why]
            for one in (*self.stretches[-KEPT:-1], *self._newest())
        ]

    def _newest(self) -> Iterator[Stretch]:
        """Yield the last stretch, its last decision apart."""
        for last in self.stretches[-1:]:
            why = self.whys.get(last.last_ms, last.why)
            if last.first_ms < last.last_ms:
                yield last._replace(last_ms=last.last_ms - self.timeframe.ms)
            yield last._replace(first_ms=last.last_ms, why=why)

    @classmethod
    def from_json(cls, timeframe: Timeframe, stored: list[list[Any]]) -> Decided:
        """Return what `as_json` wrote."""
        decided = cls(timeframe)
        for first_ms, last_ms, target, why in stored:
            decided.add(first_ms, UNCHANGED if target is None else target, why)
            decided.stretches[-1] = decided.stretches[-1]._replace(last_ms=last_ms)
        return decided


Seen = list[list[int]]
"""Minutes that were not seen in their first revision: first open time in ms, minutes, revision."""


def seen_between(line: Timeline, start_ms: int, end_ms: int) -> Seen:
    """Return what a strategy sees of the minutes that open in [start_ms, end_ms)."""
    first, end = line.index(start_ms), line.index(end_ms)
    odd = np.flatnonzero(line.revisions[first:end] != 0)
    single = [
        [start_ms + index * MINUTE_MS, 1, int(line.revisions[first + index])]
        for index in odd.tolist()
    ]
    return joined_seen([], single)


def joined_seen(told: Seen, more: Seen) -> Seen:
    """Return two lists as one."""
    joined = [list(one) for one in told]
    for first_ms, minutes, revision in more:
        last = joined[-1] if joined else None
        if last and last[2] == revision and last[0] + last[1] * MINUTE_MS == first_ms:
            last[1] += minutes
        else:
            joined.append([first_ms, minutes, revision])
    return joined
