"""Ids that were given up, and the minutes they leave incomplete."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from marketdata.domain.events import Hole
from marketdata.domain.records import Trades
from marketdata.domain.timeframe import MINUTE_MS

_MOST: Final = 100
"""Stretches remembered; trades of older ones are taken for known and dropped.

Two stretches cannot be joined into one: trades between them, which are known, would be taken again.
"""
_NEVER_MS: Final = 2**62


@dataclass(frozen=True, slots=True)
class Void:
    """Ids first to last of `hole` that were never found; a first_id of 0 means from the start.

    Their trades lie between `after_ms` and `before_ms`.
    """

    hole: Hole
    first_id: int
    last_id: int
    after_ms: int
    before_ms: int


class Voids:
    """The newest stretches of ids that were given up, ascending.

    Of those before them, `forgotten` in number, only the times are known, as one span: their
    minutes stay incomplete, and their holes are never called whole.
    """

    def __init__(self) -> None:
        self.forgotten = 0
        self._voids: list[Void] = []
        self._forgotten: Void | None = None

    def add(self, void: Void) -> None:
        """Remember `void`."""
        voids = sorted([*self._voids, void], key=lambda one: one.first_id)
        for oldest in voids[:-_MOST]:
            self._forgotten = _joined(self._forgotten, oldest)
            self.forgotten += 1
        self._voids = voids[-_MOST:]

    def touch(self, open_time_ms: int) -> bool:
        """Return whether trades of the minute at `open_time_ms` may be missing."""
        end_ms = open_time_ms + MINUTE_MS
        voids = self._voids if self._forgotten is None else [self._forgotten, *self._voids]
        return any(one.after_ms < end_ms and one.before_ms >= open_time_ms for one in voids)

    def fill(self, trades: Trades) -> tuple[Trades, tuple[Hole, ...]]:
        """Return those of `trades` that had been given up, in order, and the holes now whole."""
        if not self._voids:
            return trades[:0], ()
        is_wanted = np.zeros(len(trades), dtype=bool)
        for void in self._voids:
            ids = trades["trade_id"]
            is_wanted |= (ids >= void.first_id) & (ids <= void.last_id)
        rows = trades[is_wanted]
        rows = rows[np.argsort(rows["trade_id"], kind="stable")]
        before = {void.hole for void in self._voids if not self._is_forgotten(void.hole)}
        chosen = [row for row in range(len(rows)) if self._fill_row(rows[row])]
        left = {void.hole for void in self._voids}
        return rows[chosen], tuple(sorted(before - left, key=lambda hole: hole.last_id))

    def _is_forgotten(self, hole: Hole) -> bool:
        """Whether a part of `hole` may be among the stretches that are forgotten."""
        return self._forgotten is not None and (hole.first_id or 0) <= self._forgotten.last_id

    def _fill_row(self, row: np.void) -> bool:
        last_id = int(row["trade_id"])
        first_id = last_id - int(row["count"]) + 1
        for place, void in enumerate(self._voids):
            if void.first_id <= first_id and last_id <= void.last_id:
                self._voids[place : place + 1] = _around(
                    void, first_id, last_id, int(row["time_ms"])
                )
                return True
        return False


def harmless(hole: Hole) -> Void:
    """Return all of `hole` as a void that takes late trades but leaves every minute whole."""
    return Void(hole, hole.first_id or 0, hole.last_id, _NEVER_MS, -1)


def _joined(one: Void | None, other: Void) -> Void:
    """Return one stretch that covers both."""
    if one is None:
        return other
    return Void(
        other.hole,
        min(one.first_id, other.first_id),
        max(one.last_id, other.last_id),
        min(one.after_ms, other.after_ms),
        max(one.before_ms, other.before_ms),
    )


def _around(void: Void, first_id: int, last_id: int, time_ms: int) -> list[Void]:
    """Return what is left of `void` on both sides of a trade that was found."""
    left = replace(void, last_id=first_id - 1, before_ms=time_ms)
    right = replace(void, first_id=last_id + 1, after_ms=time_ms)
    return [part for part in (left, right) if part.first_id <= part.last_id]
