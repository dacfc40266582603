"""The order of one instrument's trades: what is next, what waits, what is missing.

A row covers the ids trade_id - count + 1 to trade_id. No id is taken twice: of rows that overlap
the first one accepted stays, and what only the others covered counts as missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.errors import BufferFull
from marketdata.domain.records import Trades, empty_trades


@dataclass(slots=True, eq=False)
class Run:
    """Consecutive ids, first to last; one without rows stands for ids that were given up."""

    first_id: int
    last_id: int
    first_ms: int
    last_ms: int
    parts: list[Trades] = field(default_factory=list)

    @property
    def rows(self) -> Trades:
        """All rows in order of id."""
        if len(self.parts) > 1:
            self.parts = [np.concatenate(self.parts)]
        return self.parts[0] if self.parts else empty_trades()


class Missing(NamedTuple):
    """Ids that are missing, both ends included, between trades at `after_ms` and `before_ms`.

    `first_id` and `after_ms` are None while nothing is known of what came before.
    """

    first_id: int | None
    last_id: int
    after_ms: int | None
    before_ms: int


class Sequence:
    """Puts rows in order of id; `next_id` is None until the beginning is known."""

    def __init__(self, next_id: int | None, last_ms: int | None, limit: int) -> None:
        self.next_id = next_id
        self.waiting: list[Run] = []
        self._last_ms = last_ms
        self._limit = limit
        self._waiting_rows = 0

    @property
    def last_id(self) -> int | None:
        """The newest id known, behind holes too; None before the first."""
        if self.waiting:
            return self.waiting[-1].last_id
        return None if self.next_id is None else self.next_id - 1

    def continues(self, trades: Trades) -> bool:
        """Return whether `trades` are exactly the next ones, in order: the ordinary case."""
        if self.waiting or self.next_id is None:
            return False
        ids = trades["trade_id"]
        before = ids - trades["count"]
        return bool(before[0] == self.next_id - 1) and bool((before[1:] == ids[:-1]).all())

    def passed(self, trades: Trades) -> None:
        """Note that `trades`, which continue the sequence, were taken without waiting."""
        last = trades[-1]
        self.next_id, self._last_ms = int(last["trade_id"]) + 1, int(last["time_ms"])

    def add(self, trades: Trades, *, is_bounded: bool) -> None:
        """Put in rows of any order, known ones included.

        Raises BufferFull, with nothing changed, when more rows would wait than the limit.
        """
        runs = _runs(self._new(trades))
        number = sum(len(run.rows) for run in runs)
        if is_bounded and self._waiting_rows + number > self._limit and not self._is_next(runs):
            raise BufferFull(
                f"{self._waiting_rows + number} trades wait behind missing ids and {self._limit} "
                "may: give up the oldest hole, then hand in the same trades again"
            )
        self._waiting_rows += number
        for run in runs:
            self._insert(run)

    def take(self) -> list[Run]:
        """Return the runs that are next, in order, and move on behind them."""
        taken = []
        while self.waiting and self.waiting[0].first_id == self.next_id:
            run = self.waiting.pop(0)
            self.next_id, self._last_ms = run.last_id + 1, run.last_ms
            self._waiting_rows -= len(run.rows)
            taken.append(run)
        return taken

    def missing(self) -> list[Missing]:
        """Return what is missing between the rows that wait, ascending."""
        found = []
        first_id, after_ms = self.next_id, self._last_ms
        for run in self.waiting:
            if first_id != run.first_id:
                found.append(Missing(first_id, run.first_id - 1, after_ms, run.first_ms))
            first_id, after_ms = run.last_id + 1, run.last_ms
        return found

    def give_up(self, missing: Missing) -> None:
        """Go on as if `missing`, which has a first id, had been found without any trade."""
        assert missing.first_id is not None
        after_ms = missing.before_ms if missing.after_ms is None else missing.after_ms
        run = Run(missing.first_id, missing.last_id, missing.before_ms, after_ms)
        self.waiting.append(run)
        self.waiting.sort(key=lambda waiting: waiting.first_id)

    def begin(self, next_id: int, last_ms: int | None) -> None:
        """Set the beginning: the first id that is wanted. Older ids that wait are dropped."""
        self.next_id, self._last_ms = next_id, last_ms
        while self.waiting and self.waiting[0].last_id < next_id:
            self._waiting_rows -= len(self.waiting.pop(0).rows)
        if self.waiting and self.waiting[0].first_id < next_id:
            rows = self.waiting.pop(0).rows
            kept = rows[rows["trade_id"] >= next_id]
            self._waiting_rows -= len(rows) - len(kept)
            self.waiting[:0] = _runs(kept)

    def _is_next(self, runs: list[Run]) -> bool:
        return bool(runs) and not self.waiting and runs[-1].first_id == self.next_id

    def _new(self, trades: Trades) -> Trades:
        """Return the rows of `trades` that cover only ids never seen, in order, each id once."""
        rows = trades[np.argsort(trades["trade_id"], kind="stable")]
        if self.next_id is not None:
            rows = rows[_first_ids(rows) >= self.next_id]
        if self.waiting and len(rows):
            last_ids = np.array([run.last_id for run in self.waiting])
            first_ids = np.array([run.first_id for run in self.waiting] + [np.iinfo(np.int64).max])
            run_after = np.searchsorted(last_ids, _first_ids(rows))
            rows = rows[first_ids[run_after] > rows["trade_id"]]
        return _without_overlaps(rows)

    def _insert(self, run: Run) -> None:
        self.waiting.append(run)
        if len(self.waiting) > 1 and self.waiting[-2].first_id > run.first_id:
            self.waiting.sort(key=lambda waiting: waiting.first_id)
        self._join_neighbours(self.waiting.index(run))

    def _join_neighbours(self, place: int) -> None:
        for left in (place, place - 1):
            if 0 <= left < len(self.waiting) - 1:
                one, other = self.waiting[left], self.waiting[left + 1]
                if one.parts and other.parts and one.last_id + 1 == other.first_id:
                    one.parts += other.parts
                    one.last_id, one.last_ms = other.last_id, other.last_ms
                    del self.waiting[left + 1]


def _first_ids(rows: Trades) -> NDArray[np.int64]:
    ids: NDArray[np.int64] = rows["trade_id"] - rows["count"] + 1
    return ids


def _without_overlaps(rows: Trades) -> Trades:
    """Return `rows`, in order of id, without those that cover an id of a row before them."""
    if len(rows) < 2 or bool((_first_ids(rows)[1:] > rows["trade_id"][:-1]).all()):
        return rows
    kept, last_id = [], -1
    pairs = zip(_first_ids(rows).tolist(), rows["trade_id"].tolist(), strict=True)
    for row, (first, last) in enumerate(pairs):
        if first > last_id:
            kept.append(row)
            last_id = last
    return rows[kept]


def _runs(rows: Trades) -> list[Run]:
    """Split `rows`, in order of id without overlaps, where ids are missing."""
    if not len(rows):
        return []
    first_ids = _first_ids(rows)
    breaks = np.flatnonzero(first_ids[1:] != rows["trade_id"][:-1] + 1) + 1
    edges = [0, *breaks.tolist(), len(rows)]
    return [
        Run(
            first_id=int(first_ids[start]),
            last_id=int(rows["trade_id"][end - 1]),
            first_ms=int(rows["time_ms"][start]),
            last_ms=int(rows["time_ms"][end - 1]),
            parts=[rows[start:end]],
        )
        for start, end in pairwise(edges)
    ]
