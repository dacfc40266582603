"""Runs of consecutive matches of one instrument, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketdata.simulator.hashing import Integers

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Single matches in order of id; prices in ticks, sizes in lots, times in UTC ms.

    `starts` is true where a new row of the aggregated `trades` channel begins: matches of one
    taker order at one price and of one source share a row. `elp` marks source "1".
    """

    ids: Integers
    times: Integers
    ticks: Integers
    lots: Integers
    buys: Flags
    elp: Flags
    starts: Flags

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: slice) -> Matches:
        return Matches(*[getattr(self, name)[rows] for name in _NAMES])

    def between(self, after_ms: int, until_ms: int) -> Matches:
        """Return the matches with after_ms < time <= until_ms."""
        first, last = np.searchsorted(self.times, (after_ms, until_ms), side="right")
        return self[first:last]


def joined(runs: list[Matches]) -> Matches:
    """Return consecutive runs as one."""
    if len(runs) == 1:
        return runs[0]
    if not runs:
        return NO_MATCHES
    return Matches(*(np.concatenate([getattr(run, name) for run in runs]) for name in _NAMES))


_NAMES: Final = tuple(field.name for field in fields(Matches))
_NONE = np.empty(0, np.int64)
_NO_FLAGS = np.empty(0, np.bool_)
NO_MATCHES = Matches(_NONE, _NONE, _NONE, _NONE, _NO_FLAGS, _NO_FLAGS, _NO_FLAGS)
