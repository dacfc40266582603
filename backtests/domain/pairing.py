"""Two runs' round trips beside each other: which both made, and which only one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from backtests.domain.roundtrips import ROUND_TRIP, RoundTrips

Kind = Literal["same", "differs", "left", "right"]
"""Made by both alike, entered by both but ended otherwise, or made by one of them only."""

_PAIRED_BY: Final = ("entry_ms", "side")
_COMPARED: Final = tuple(name for name in ROUND_TRIP.names or () if name not in _PAIRED_BY)


@dataclass(frozen=True, slots=True)
class Pair:
    """The places of a round trip among those of two runs; None where one did not make it."""

    left: int | None
    right: int | None


def pair_trips(left: RoundTrips, right: RoundTrips) -> list[Pair]:
    """Return all round trips of both runs in the order of their entries.

    Trips are the same one when they began at the same time on the same side.
    """
    return list(_merged(_keys(left), _keys(right)))


def kinds_of(pairs: Sequence[Pair], left: RoundTrips, right: RoundTrips) -> list[Kind]:
    """Return what each of the pairs of two runs in the same units is."""
    shared = [(one.left, one.right) for one in pairs if None not in (one.left, one.right)]
    places = np.array(shared, np.intp).reshape(-1, 2)
    alike = iter(_alike(left[places[:, 0]], right[places[:, 1]]).tolist())
    return [_kind(pair, alike) for pair in pairs]


def _kind(pair: Pair, alike: Iterator[bool]) -> Kind:
    if pair.right is None:
        return "left"
    if pair.left is None:
        return "right"
    return "same" if next(alike) else "differs"


def _alike(left: RoundTrips, right: RoundTrips) -> NDArray[np.bool_]:
    found = np.ones(len(left), np.bool_)
    for name in _COMPARED:
        one, other = left[name], right[name]
        # An exit that is not there is no number.
        found &= (one == other) | ((one != one) & (other != other))
    return found


def _keys(trips: RoundTrips) -> list[tuple[int, int]]:
    return list(zip(trips["entry_ms"].tolist(), trips["side"].tolist(), strict=True))


def _merged(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> Iterator[Pair]:
    i = j = 0
    while i < len(left) or j < len(right):
        if j == len(right) or (i < len(left) and left[i] < right[j]):
            yield Pair(i, None)
            i += 1
        elif i == len(left) or right[j] < left[i]:
            yield Pair(None, j)
            j += 1
        else:
            yield Pair(i, j)
            i, j = i + 1, j + 1
